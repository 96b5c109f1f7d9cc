package runtime

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"hearth"
)

// Catalog is what this host can run. It is made once, by [Detect], never
// changes, and may be used concurrently.
type Catalog struct {
	languages []Language
	runtimes  []hearth.Runtime
	notes     map[string]string // by language
}

// Detect asks all languages at the same time for its interpreters on this host. The shims are
// written below shimRoot, where they must stay while the runtimes are used. A
// language without an interpreter is no error; [Catalog.Notes] says so.
func Detect(ctx context.Context, shimRoot string, langs ...Language) (*Catalog, error) {
	c := &Catalog{languages: append([]Language{}, langs...), notes: map[string]string{}}
	type answer struct {
		found []hearth.Runtime
		note  string
		err   error
	}
	answers := make([]answer, len(langs))
	var wg sync.WaitGroup
	for i, l := range langs {
		wg.Go(func() {
			a := &answers[i]
			a.found, a.note, a.err = l.Detect(ctx, shimRoot)
		})
	}
	wg.Wait()
	for i, a := range answers {
		name := langs[i].Name()
		if a.err != nil {
			return nil, fmt.Errorf("look for %s: %w", name, a.err)
		}
		c.runtimes = append(c.runtimes, a.found...)
		if a.note != "" {
			c.notes[name] = a.note
		}
	}
	return c, nil
}

// All lists the runtimes: languages in the order given to Detect, newest first.
func (c *Catalog) All() []hearth.Runtime { return append([]hearth.Runtime{}, c.runtimes...) }

// Notes says, for people, what is missing on this host and how to install it.
func (c *Catalog) Notes() []string {
	var out []string
	for _, l := range c.languages {
		if note := c.notes[l.Name()]; note != "" {
			out = append(out, note)
		}
	}
	return out
}

// Get returns the runtime of that name ("python3.11"), or the newest of that
// language ("python", "javascript", any alias). The error is an *hearth.Error
// with CodeInvalid that names what the host has.
func (c *Catalog) Get(name string) (hearth.Runtime, error) {
	want := strings.ToLower(strings.TrimSpace(name))
	for _, r := range c.runtimes {
		if r.Name == want {
			return r, nil
		}
	}
	for _, l := range c.languages {
		if !answersTo(l, want) {
			continue
		}
		for _, r := range c.runtimes {
			if r.Language == l.Name() {
				return r, nil
			}
		}
		return hearth.Runtime{}, c.missing(l, name)
	}
	for _, l := range c.languages {
		if strings.HasPrefix(want, l.Name()) {
			return hearth.Runtime{}, c.missing(l, name)
		}
	}
	return hearth.Runtime{}, hearth.Errorf(hearth.CodeInvalid, "there is no runtime %q", name).
		WithHint("%s", c.offer("")).WithField("runtime")
}

// Language returns the language that made rt, nil if none of this catalog did.
func (c *Catalog) Language(rt hearth.Runtime) Language {
	for _, l := range c.languages {
		if l.Name() == rt.Language {
			return l
		}
	}
	return nil
}

// Guess returns the one language whose code this looks like. The error is an
// *hearth.Error with CodeInvalid.
func (c *Catalog) Guess(code fs.FS) (Language, error) {
	var owners []Language
	var names []string
	for _, l := range c.languages {
		if l.Owns(code) {
			owners = append(owners, l)
			names = append(names, l.Name())
		}
	}
	switch len(owners) {
	case 1:
		return owners[0], nil
	case 0:
		return nil, hearth.Errorf(hearth.CodeInvalid, "the code doesn't look like any language that Hearth knows").
			WithHint("it should hold a file like main.py or index.js at its top; or say which with --runtime. %s", c.offer("")).WithField("runtime")
	}
	return nil, hearth.Errorf(hearth.CodeInvalid, "the code could be %s", strings.Join(names, " or ")).
		WithHint("say which with --runtime, for example --runtime %s", names[0]).WithField("runtime")
}

// GuessBy returns the one language in which the handler can be found in code,
// nil if there is none or more than one.
func (c *Catalog) GuessBy(code fs.FS, handler string) Language {
	var found Language
	for _, l := range c.languages {
		if l.Check(code, handler) != nil {
			continue
		}
		if found != nil {
			return nil
		}
		found = l
	}
	return found
}

func answersTo(l Language, name string) bool {
	if name == l.Name() {
		return true
	}
	for _, a := range l.Aliases() {
		if name == a {
			return true
		}
	}
	return false
}

func (c *Catalog) missing(l Language, name string) error {
	return hearth.Errorf(hearth.CodeInvalid, "this host has no %s", name).
		WithHint("%s", c.offer(l.Name())).WithField("runtime")
}

// offer says what there is and, if that is none of language, what its note says
// about getting it.
func (c *Catalog) offer(language string) string {
	var names []string
	has := false
	for _, r := range c.runtimes {
		names = append(names, r.Name)
		has = has || r.Language == language
	}
	s := "this host has " + strings.Join(names, ", ")
	if len(names) == 0 {
		s = "this host has no runtime at all"
	}
	if note := c.notes[language]; note != "" && !has {
		s += "; " + note + ", then restart the server"
	}
	return s
}
