package server

import (
	"context"
	"io/fs"

	"hearth"
	"hearth/internal/runtime"
	"hearth/internal/runtime/node"
	"hearth/internal/runtime/python"
)

// detect finds the languages of the host.
func detect(ctx context.Context, shims string, instead []runtime.Language) (*runtime.Catalog, error) {
	if instead == nil {
		instead = []runtime.Language{python.New(), node.New()}
	}
	return runtime.Detect(ctx, shims, instead...)
}

// languages is a catalog in the shape that the API asks for.
type languages struct{ *runtime.Catalog }

// Choose picks the runtime and the handler of code and checks both.
func (l languages) Choose(name, handler string, code fs.FS) (rt hearth.Runtime, fn string, err error) {
	if name == "" {
		lang, err := l.guess(handler, code)
		if err != nil {
			return rt, "", err
		}
		name = lang.Name()
	}
	if rt, err = l.Get(name); err != nil {
		return rt, "", err
	}
	lang := l.Language(rt)
	if handler == "" {
		handler, err = lang.Handler(code)
	}
	if err == nil {
		err = lang.Check(code, handler)
	}
	if err != nil && !lang.Owns(code) {
		if guess, gerr := l.Guess(code); gerr == nil {
			err = hearth.Errorf(hearth.CodeInvalid, "the code is %s, not %s", guess.Name(), lang.Name()).
				WithHint("leave --runtime out, or say --runtime %s", guess.Name()).WithField("runtime")
		}
	}
	if err != nil {
		return rt, "", err
	}
	return rt, handler, nil
}

// guess finds the language of code: by its files, or by the handler.
func (l languages) guess(handler string, code fs.FS) (runtime.Language, error) {
	lang, err := l.Guess(code)
	if err != nil && handler != "" {
		if by := l.GuessBy(code, handler); by != nil {
			return by, nil
		}
	}
	return lang, err
}
