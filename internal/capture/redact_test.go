package capture

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const canary = "Hunter2Canary"

func redactText(s string) (string, []string) {
	var r redactor
	return r.text("body", s, 0), r.took
}

func TestSecretsAreTakenOut(t *testing.T) {
	for name, s := range map[string]string{
		"a member":                   `{"user":"ada","password":"Hunter2Canary"}`,
		"a name in capitals":         `{"API_KEY":"Hunter2Canary"}`,
		"a name with marks":          `{"x-api-key":"Hunter2Canary","client.secret":"Hunter2Canary"}`,
		"an escaped name":            `{"pass\u0077ord":"Hunter2Canary"}`,
		"a name twice":               `{"token":"x","token":"Hunter2Canary"}`,
		"deep down":                  `[{"a":{"b":[{"c":{"dbPassword":"Hunter2Canary"}}]}}]`,
		"an object":                  `{"credentials":{"user":"Hunter2Canary","more":["Hunter2Canary"]},"rest":1}`,
		"a list":                     `{"secrets":["Hunter2Canary",{"a":"Hunter2Canary"}],"rest":1}`,
		"a number":                   `{"password":12345,"x":"y"}`,
		"an escaped value":           `{"password":"a\"Hunter2Canary\\"}`,
		"blanks":                     "{ \"password\" \n : \t \"Hunter2Canary\" }",
		"cut in the value":           `{"user":"ada","password":"Hunter2Canary`,
		"cut in an object":           `{"secret":{"a":"Hunter2Canary","b":[1`,
		"cut in a string":            `{"body":"{\"password\":\"Hunter2Canary`,
		"JSON in a string":           `{"body":"{\"password\":\"Hunter2Canary\"}"}`,
		"JSON in JSON in a string":   `{"body":"{\"body\":\"{\\\"password\\\":\\\"Hunter2Canary\\\"}\"}"}`,
		"a form in a string":         `{"body":"user=ada&password=Hunter2Canary&x=y"}`,
		"several documents":          "{\"a\":1}\n{\"password\":\"Hunter2Canary\"}\n",
		"broken before":              `"{"password":"Hunter2Canary"}`,
		"broken in between":          `{"a":"b"c","password":"Hunter2Canary"}`,
		"no quotes":                  `{password: Hunter2Canary, user: ada}`,
		"Python":                     `{'password': 'Hunter2Canary', 'user': 'ada'}`,
		"YAML":                       "user: ada\npassword: Hunter2Canary\n",
		"an env file":                "DB_PASSWORD=Hunter2Canary\nDB_USER=ada",
		"Ruby":                       `{:password=>"Hunter2Canary"}`,
		"a form":                     "user=ada&password=Hunter2Canary",
		"a form with escapes":        "user=ada&p%61ssword=Hunter2Canary",
		"a form with brackets":       "user[password]=Hunter2Canary&user%5Bpin%5D=Hunter2Canary",
		"JSON in a form":             "payload=%7B%22password%22%3A%22Hunter2Canary%22%7D",
		"a form in a form":           "next=" + url.QueryEscape("/login?token=Hunter2Canary"),
		"broken escapes":             "%zz=1&password=Hunter2Canary%",
		"running text":               "login failed for ada, password: Hunter2Canary, try again",
		"two words":                  "the api key: Hunter2Canary",
		"a header in text":           "Authorization: Bearer Hunter2Canary",
		"another header in text":     "authorization: Basic Hunter2Canary",
		"XML":                        "<user>ada</user><password type=\"x\">Hunter2Canary</password>",
		"XML with a space of names":  "<ns:apiKey>Hunter2Canary</ns:apiKey>",
		"a part of a form":           "--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nHunter2Canary\r\n--x--",
		"a part with more heads":     "--x\r\nContent-Disposition: form-data; name=\"my_secret\"\r\nContent-Type: text/plain\r\n\r\nHunter2Canary\nHunter2Canary",
		"a URL":                      "postgres://ada:Hunter2Canary@db.example/x",
		"a URL in JSON":              `{"url":"https://x.example/a?b=c&access_token=Hunter2Canary"}`,
		"a bearer alone":             "bearer Hunter2Canary",
		"bytes that are no text":     "{\"password\":\"Hunter2Canary\xff\xfe\"}",
		"bytes in the name":          "{\"\xffpassword\":\"Hunter2Canary\"}",
		"zero bytes":                 "{\"password\x00\":\"Hunter2Canary\"}",
		"a very long name":           `{"` + strings.Repeat("a", 5000) + `password":"Hunter2Canary"}`,
		"a line end in a string":     "{\"a\":\"x\ny\",\"password\":\"Hunter2\nCanary Hunter2Canary\"}",
		"a value after another pair": `{"password":"token=Hunter2Canary"}`,
		"deeper than we read":        nest(`{"password":"Hunter2Canary"}`, 9),
		"a private key":              "-----BEGIN RSA PRIVATE KEY-----\nHunter2Canary\n-----END RSA PRIVATE KEY-----",
		"a private key, cut":         "x -----BEGIN PRIVATE KEY-----\nHunter2Canary",
	} {
		got, took := redactText(s)
		if strings.Contains(got, "Hunter2") || strings.Contains(got, "12345") || len(took) == 0 {
			t.Errorf("%s: %.300q became %.300q, took %q", name, s, got, took)
		}
		if json.Valid([]byte(s)) && !json.Valid([]byte(got)) {
			t.Errorf("%s: %q is not JSON any more", name, got)
		}
		if again, _ := redactText(got); again != got {
			t.Errorf("%s: %q became %q at a second reading", name, got, again)
		}
	}
}

// nest wraps a text in strings of JSON.
func nest(s string, depth int) string {
	for range depth {
		b, _ := json.Marshal(map[string]string{"body": s})
		s = string(b)
	}
	return s
}

func TestKeysAreKnownByTheirForm(t *testing.T) {
	for _, secret := range []string{
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "hk_" + strings.Repeat("a", 24), "AKIA" + "IOSFODNN7EXAMPLE",
		"ghp_" + strings.Repeat("b", 36), "xoxb-" + "123456789012-abcdef", "sk_" + "live_abcdefghijklmnop", "sk-" + strings.Repeat("c", 40),
		"AIza" + strings.Repeat("d", 35),
	} {
		for _, form := range []string{"%s", "look: %s.", `{"a":["%s"]}`, "a=%s&b=c"} {
			got, took := redactText(fmt.Sprintf(form, secret))
			if strings.Contains(got, secret) || len(took) != 1 {
				t.Errorf("%q: %q, %q", fmt.Sprintf(form, secret), got, took)
			}
		}
	}
}

func TestTheRestStaysAsItIs(t *testing.T) {
	for _, s := range []string{
		``, `null`, `42`, `"x"`, `{"a":[1,2.50,{"b":null}]}`, "{\n  \"a\": 1\n}\n", `{"html":"<b>&amp;</b>"}`, `{"u":"\u00e9\/"}`,
		`{"usage":{"prompt_tokens":12,"completion_tokens":30,"max_tokens":100}}`, `{"token":null,"password":"","has_secret":true}`,
		`{"passengers":3,"pinned":true,"author":"ada","authenticated":false,"monkey":"x","compass":"north"}`,
		"user=ada&tags=a%20b&empty=", "plain text: with colons, and = signs", "https://example.com/a:b?c=d", "a\x00b\xff", "12:30:00",
		`{"Records":[{"s3":{"object":{"key":"photos/1.png"}}}]}`, "<a>b</a>", "-----BEGIN CERTIFICATE-----", "the password is wrong",
	} {
		if got, took := redactText(s); got != s || len(took) > 0 {
			t.Errorf("%q became %q, took %q", s, got, took)
		}
	}
}

func TestQueries(t *testing.T) {
	var r redactor
	got := r.query("query", "a=b&token=x&key=y&sig=z;ts=1&redirect=%2F%3Fpassword%3Dw&token=&flag", secretParam, 0)
	want := "a=b&token=%5Bredacted%5D&key=%5Bredacted%5D&sig=%5Bredacted%5D;ts=1&redirect=%2F%3Fpassword%3D%5Bredacted%5D&token=&flag"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if want := []string{"query token", "query key", "query sig", "query password"}; !slices.Equal(r.took, want) {
		t.Errorf("took %q", r.took)
	}
}

func TestHeaders(t *testing.T) {
	var r redactor
	in := map[string][]string{
		"Authorization": {"Bearer x", "Basic y"}, "Cookie": {"a=b"}, "Set-Cookie": {"sid=1", "b=2"}, "X-Api-Key": {"k"}, "Ocp-Apim-Subscription-Key": {"k"},
		"X-Amz-Security-Token": {"t"}, "X-Auth": {"a"}, "Proxy-Authorization": {"p"}, "X-Csrf-Token": {"c"}, "X-Session-Id": {"s"}, "X-Client-Secret": {"s"},
		"Idempotency-Key": {"i"}, "Sec-Websocket-Key": {"w"}, "X-Hub-Signature-256": {"sha256=abc"}, "Accept": {"*/*"}, "X-Author": {"ada"},
		"Referer": {"https://x.example/?token=abc&page=2"}, "Content-Type": {"application/json"}, "X-Empty-Token": {""},
	}
	got := r.headers(in)
	for name, values := range got {
		hid := strings.Contains(strings.Join(values, ""), "[redacted]")
		stays := slices.Contains([]string{"Idempotency-Key", "Sec-Websocket-Key", "X-Hub-Signature-256", "Accept", "X-Author", "Content-Type", "X-Empty-Token"}, name)
		if hid == stays || len(values) != len(in[name]) {
			t.Errorf("%s: %q", name, values)
		}
	}
	if got["Referer"][0] != "https://x.example/?token=[redacted]&page=2" {
		t.Errorf("referer: %q", got["Referer"])
	}
	if in["Authorization"][0] != "Bearer x" {
		t.Error("the function's own headers were changed")
	}
	if !slices.Contains(r.took, "header set-cookie") {
		t.Errorf("took %q", r.took)
	}
}

// However a document is built, cut or wrapped, the value under a secret's name
// is not in what is left.
func TestNoSecretGetsThrough(t *testing.T) {
	names := rapid.SampledFrom([]string{"password", "user_password", "API-Key", "accessToken", "clientSecret", "x.credentials", "pin", "Set-Cookie"})
	filler := rapid.SampledFrom([]any{nil, true, 1.5, "text", "a \"b\" \\ c", "é\u2028\x01", []any{1, "x"}, map[string]any{"k": "v"}, "a=b&c=d", "{\"a\":1}", "}", "\\", "'"})
	rapid.Check(t, func(t *rapid.T) {
		var value any = canary
		if rapid.Bool().Draw(t, "structured") {
			value = []any{map[string]any{"deep": canary}, canary}
		}
		var doc any = map[string]any{names.Draw(t, "name"): value, "a": filler.Draw(t, "before"), "z": filler.Draw(t, "after")}
		for range rapid.IntRange(0, 5).Draw(t, "levels") {
			switch rapid.IntRange(0, 3).Draw(t, "wrap") {
			case 0:
				doc = []any{filler.Draw(t, "first"), doc}
			case 1:
				doc = map[string]any{"inner": doc, "other": filler.Draw(t, "beside")}
			case 2:
				b, err := json.Marshal(doc)
				if err != nil {
					t.Fatal(err)
				}
				doc = string(b)
			case 3:
				b, err := json.Marshal(doc)
				if err != nil {
					t.Fatal(err)
				}
				doc = "payload=" + url.QueryEscape(string(b)) + "&x=y"
			}
		}
		b, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		s := string(b)
		whole, _ := redactText(s)
		if strings.Contains(unescape(whole), canary) {
			t.Fatalf("%s\nbecame\n%s", s, whole)
		}
		if !json.Valid([]byte(whole)) {
			t.Fatalf("%s\nbecame what isn't JSON:\n%s", s, whole)
		}
		cut := s[:rapid.IntRange(0, len(s)).Draw(t, "cut")]
		part, _ := redactText(cut)
		if strings.Contains(unescape(part), canary) {
			t.Fatalf("cut to %s\nbecame\n%s", cut, part)
		}
	})
}

func TestHostileTextsAreReadToTheirEnd(t *testing.T) {
	for name, s := range map[string]string{
		"quotes": strings.Repeat(`"`, limit), "names": strings.Repeat(`"token":`, limit/8), "colons": strings.Repeat(":", limit),
		"open": strings.Repeat(`{"password":[`, limit/13), "backslashes": `"` + strings.Repeat(`\`, limit), "equals": strings.Repeat("a=", limit/2),
		"words": strings.Repeat("passwordpassword", limit/16) + "=", "tags": strings.Repeat("<password>", limit/10),
		"parts": strings.Repeat("form-data; name=\"a\"\r\n\r\n", limit/22), "escapes": strings.Repeat("%41=", limit/4),
		"nested": nest(`{"password":"x"}`, 10)[:min(limit, len(nest(`{"password":"x"}`, 10)))], "bearers": strings.Repeat("bearer ", limit/7),
		"pairs": strings.Repeat("password:x ", limit/11), "quoted": strings.Repeat(`password:"`, limit/10),
	} {
		got, _ := redactText(s)
		if len(got) > 4*limit {
			t.Errorf("%s: grew to %d bytes", name, len(got))
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add(`{"password":"x"}`)
	f.Add(`user=ada&token=x`)
	f.Add("{\"a\":\"{\\\"secret\\\":1")
	f.Add("<password>x</password>")
	f.Add("--x\r\nContent-Disposition: form-data; name=\"pin\"\r\n\r\n1\r\n--x--")
	f.Fuzz(func(t *testing.T, s string) {
		s = s[:min(len(s), limit)]
		got, _ := redactText(s)
		if json.Valid([]byte(s)) && !json.Valid([]byte(got)) {
			t.Fatalf("%q became %q, which isn't JSON", s, got)
		}
		// A member behind anything at all.
		after, _ := redactText(s + "\n" + `{"password":"` + canary + `"}`)
		if strings.Contains(after, canary) {
			t.Fatalf("behind %q it stays: %q", s, after)
		}
	})
}

func BenchmarkRedact(b *testing.B) {
	s := `{"order":{"id":"17","items":[` + strings.Repeat(`{"sku":"a-1","price":12.5,"name":"a thing"},`, 20) + `{}]},"user":{"name":"ada","password":"x","email":"ada@example.com"}}`
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		redactText(s)
	}
}
