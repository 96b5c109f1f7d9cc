package triage_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"hearth"
	"hearth/internal/triage"
)

func TestFrames(t *testing.T) {
	for name, c := range map[string]struct{ trace, want string }{
		"python": {`Traceback (most recent call last):
  File "/code/main.py", line 12, in handler
    total(event)
  File "/code/shop/orders.py", line 7, in total
    return sum(x["price"] for x in event)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/usr/lib/python3.11/json/decoder.py", line 355, in raw_decode
    raise JSONDecodeError
json.decoder.JSONDecodeError: Expecting value
`, "shop/orders.py:7 in total"},
		"python, a package": {`Traceback (most recent call last):
  File "/code/main.py", line 3, in <module>
    import requests
  File "/code/site-packages/requests/api.py", line 59, in get
    raise ConnectionError
ConnectionError: no`, "main.py:3 in <module>"},
		"python, while handling": {`Traceback (most recent call last):
  File "/code/main.py", line 2, in load
    1/0
ZeroDivisionError: division by zero

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/code/main.py", line 9, in handler
    raise RuntimeError("no")
RuntimeError: no`, "main.py:9 in handler"},
		"python, a group": {`  + Exception Group Traceback (most recent call last):
  |   File "/code/main.py", line 4, in handler
  |     raise ExceptionGroup("two", [ValueError(1), KeyError(2)])
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------`, "main.py:4 in handler"},
		"python, syntax": {`Traceback (most recent call last):
  File "/code/main.py", line 3
    def handler(event, context)
                               ^
SyntaxError: expected ':'`, "main.py:3"},
		"node": {`PaymentError: no money
    at deep (/code/lib/order.mjs:3:37)
    at async Module.handler (/code/index.mjs:5:3)
Caused by: TypeError: empty
    at inner (/code/other.mjs:1:1)`, "lib/order.mjs:3 in deep"},
		"node, a package": {`Error: bad
    at fail (/code/node_modules/left-pad/index.js:1:1)
    at async Module.handler (/code/index.mjs:5:3)`, "index.mjs:5 in handler"},
		"node, without a function": {"Error: x\n    at /code/index.js:9:1\n    at Object.handler [as default] (/code/a.js:1:1)", "index.js:9"},
		"node, a method":           {"Error: x\n    at new Order (/code/index.js:9:1)", "index.js:9 in Order"},
		"node, an alias":           {"Error: x\n    at Shop.pay [as run] (/code/index.js:9:1)", "index.js:9 in Shop.pay"},
		"node, syntax":             {"/code/index.mjs:2\nconst = 1\n      ^\n\nSyntaxError: Unexpected token '='", "index.mjs:2"},
		"none":                     {"ValueError: x", ""},
		"empty":                    {"", ""},
		"not its own":              {`  File "/usr/lib/python3.11/x.py", line 1, in f`, ""},
		"a path with blanks":       {`  File "/code/my app/main.py", line 1, in f`, "my app/main.py:1 in f"},
		"windows line ends":        {"Error: x\r\n    at f (/code/index.js:9:1)\r\n", "index.js:9 in f"},
	} {
		got := triage.Of(&hearth.Error{Code: hearth.CodeFunctionError, Trace: c.trace})
		if got.Frame != c.want {
			t.Errorf("%s: %q, want %q", name, got.Frame, c.want)
		}
	}
}

func TestShapes(t *testing.T) {
	for message, want := range map[string]string{
		"order 17 not found":                                          "order * not found",
		"order 01J8ZQ4Y7N0R5T3V9X1B2C4D6E is gone":                    "order * is gone",
		"user 6f9619ff-8b86-d011-b42d-00c04fc964ff not found":         "user * not found",
		"can't open '/tmp/a b.txt': it doesn't exist":                 "can't open *: it doesn't exist",
		`invalid literal for int() with base 10: 'abc'`:               "invalid literal for int() with base *: *",
		`KeyError: "na'me"`:                                           "KeyError: *",
		"mail to ada@example.com bounced":                             "mail to * bounced",
		"GET https://api.example.com/v1/users/17?x=y: 503":            "GET * *",
		"took 12.5ms, limit 3e-4s":                                    "took *, limit *",
		"at 0x7f3a9c0b":                                               "at *",
		"values 1, 2, 3, 4 are odd":                                   "values * are odd",
		"values 1, 2 are odd":                                         "values * are odd",
		"two\nlines":                                                  "two",
		"  much   space\t":                                            "much space",
		"Größe 17 der Datei „ä“ ‘x y’":                                "Größe * der Datei „ä“ *",
		"it's broken and it's late":                                   "it's broken and it's late",
		"token abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrst is old": "token * is old",
		"": "",
	} {
		if got := triage.Shape(message); got != want {
			t.Errorf("%q: %q, want %q", message, got, want)
		}
	}
	if got := triage.Shape(strings.Repeat("wörd ", 1000)); len(got) > 200 || !utf8.ValidString(got) {
		t.Errorf("a long message: %d bytes", len(got))
	}
}

func TestWhatIsTheSame(t *testing.T) {
	trace := func(line, function string) string {
		return "Traceback (most recent call last):\n  File \"/code/main.py\", line " + line + ", in " + function + "\n    x\nValueError: x"
	}
	base := hearth.Error{Code: hearth.CodeFunctionError, Type: "ValueError", Message: "order 17 not found", Trace: trace("12", "handler")}
	same := map[string]hearth.Error{
		"another number": {Code: base.Code, Type: base.Type, Message: "order 18 not found", Trace: base.Trace},
		"another line":   {Code: base.Code, Type: base.Type, Message: base.Message, Trace: trace("40", "handler")},
		"a hint":         {Code: base.Code, Type: base.Type, Message: base.Message, Trace: base.Trace, Hint: "mend it"},
	}
	other := map[string]hearth.Error{
		"another type":     {Code: base.Code, Type: "KeyError", Message: base.Message, Trace: base.Trace},
		"another function": {Code: base.Code, Type: base.Type, Message: base.Message, Trace: trace("12", "pay")},
		"another message":  {Code: base.Code, Type: base.Type, Message: "payment refused", Trace: base.Trace},
		"another code":     {Code: hearth.CodeFunctionReply, Type: base.Type, Message: base.Message, Trace: base.Trace},
	}
	want := triage.Of(&base)
	if len(want.Fingerprint) != 16 || want.Frame != "main.py:12 in handler" {
		t.Errorf("got %+v", want)
	}
	for name, e := range same {
		if got := triage.Of(&e); got.Fingerprint != want.Fingerprint {
			t.Errorf("%s makes another failure", name)
		}
	}
	for name, e := range other {
		if got := triage.Of(&e); got.Fingerprint == want.Fingerprint {
			t.Errorf("%s makes the same failure", name)
		}
	}
	for _, code := range []hearth.Code{hearth.CodeFunctionTimeout, hearth.CodeFunctionOOM, hearth.CodeFunctionCrashed, hearth.CodePlatform, hearth.CodeUnavailable} {
		a := triage.Of(&hearth.Error{Code: code, Message: "ran 3s", Trace: "x"})
		b := triage.Of(&hearth.Error{Code: code, Message: "whatever else"})
		if a != b || a.Frame != "" {
			t.Errorf("%s isn't one group: %+v, %+v", code, a, b)
		}
	}
}

func FuzzOf(f *testing.F) {
	f.Add("ValueError", "order 17", "  File \"/code/main.py\", line 12, in handler")
	f.Add("Error", "'a", "    at f (/code/a.js:1:1)\nCaused by: x")
	f.Fuzz(func(t *testing.T, typ, message, trace string) {
		e := hearth.Error{Code: hearth.CodeFunctionError, Type: typ, Message: message, Trace: trace}
		a, b := triage.Of(&e), triage.Of(&e)
		if a != b || len(a.Fingerprint) != 16 {
			t.Fatalf("%+v, then %+v", a, b)
		}
		if s := triage.Shape(message); len(s) > 200 || !utf8.ValidString(s) || strings.ContainsAny(s, "\n") {
			t.Fatalf("shape %q", s)
		}
	})
}

func BenchmarkOf(b *testing.B) {
	e := hearth.Error{Code: hearth.CodeFunctionError, Type: "ValueError", Message: "order 17 not found",
		Trace: "Traceback (most recent call last):\n" + strings.Repeat("  File \"/code/main.py\", line 12, in handler\n    x = y\n", 10) + "ValueError: x"}
	b.ReportAllocs()
	for b.Loop() {
		triage.Of(&e)
	}
}
