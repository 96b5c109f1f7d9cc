package api_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
	"hearth/internal/api"
	"hearth/internal/server/servertest"
)

// TestEveryOperationAsksForItsRole reads the table of operations, so that a new
// one can't be forgotten.
func TestEveryOperationAsksForItsRole(t *testing.T) {
	e := servertest.Start(t)
	keys := map[hearth.Role]string{hearth.RoleAdmin: e.Key}
	for _, r := range []hearth.Role{hearth.RoleDeveloper, hearth.RoleViewer} {
		_, keys[r] = e.User("a-"+string(r), r)
	}
	count := 0
	for path, item := range api.New(api.Options{}).OpenAPI().Paths {
		for method, op := range map[string]any{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete} {
			needs, ok := roleOf(t, op)
			if !ok {
				continue
			}
			count++
			at := regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "1")
			t.Run(method+" "+path, func(t *testing.T) {
				if a := e.Do(method, at, ""); a.StatusCode != 401 || a.Header.Get("WWW-Authenticate") == "" {
					t.Errorf("without a key: %s", a.Status)
				}
				for role, key := range keys {
					got := e.Head(method, at, servertest.Auth(key))
					if refused := got == 403; refused == role.Allows(needs) || got == 401 {
						t.Errorf("a %s got %d, and it needs a %s", role, got, needs)
					}
				}
			})
		}
	}
	if count < 30 {
		t.Errorf("only %d operations were looked at", count)
	}
}

func TestOtherAddressesNeedAKeyToo(t *testing.T) {
	e := servertest.Start(t)
	_, viewer := e.User("v", hearth.RoleViewer)
	for path, want := range map[string][2]int{
		"/metrics": {401, 200}, "/openapi.json": {401, 200}, "/api/v1/nothing": {401, 404},
		"/healthz": {200, 200}, "/readyz": {200, 200}, "/ui/": {200, 200}, "/ui/functions/x": {200, 200},
		"/ui/assets/x.js": {404, 404},
		"/ui":             {307, 307}, "/": {307, 307}, "/nothing": {404, 404}, "/docs": {404, 404}, "/healthz/x": {404, 404},
	} {
		if got := e.Do("GET", path, "").StatusCode; got != want[0] {
			t.Errorf("%s without a key: %d", path, got)
		}
		if got := e.Do("GET", path, "", servertest.Auth(viewer)).StatusCode; got != want[1] {
			t.Errorf("%s with a viewer's key: %d", path, got)
		}
	}
}

func TestOwnPagesAreGuarded(t *testing.T) {
	e := servertest.Start(t)
	h := e.Do("GET", "/ui/", "").Header
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'self'", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
	} {
		if !strings.Contains(h.Get(name), want) {
			t.Errorf("%s is %q", name, h.Get(name))
		}
	}
}

func TestADeletedKeyEndsAtOnce(t *testing.T) {
	e := servertest.Start(t)
	c, _ := e.User("dev", hearth.RoleDeveloper)
	me, err := c.WhoAmI(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Admin.DeleteKey(t.Context(), me.Key.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.WhoAmI(t.Context()); hearth.ErrorCode(err) != hearth.CodeUnauthenticated {
		t.Errorf("got %v", err)
	}
}

func TestAChangeOfRoleHoldsAtOnce(t *testing.T) {
	e := servertest.Start(t)
	c, _ := e.User("dev", hearth.RoleDeveloper)
	if _, err := c.WhoAmI(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Admin.UpdateUser(t.Context(), "dev", rest.UserUpdate{Role: hearth.RoleViewer}); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteFunction(t.Context(), "x", 0); hearth.ErrorCode(err) != hearth.CodeForbidden {
		t.Errorf("got %v", err)
	}
	if err := e.Admin.DeleteUser(t.Context(), "dev"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.WhoAmI(t.Context()); hearth.ErrorCode(err) != hearth.CodeUnauthenticated {
		t.Errorf("got %v", err)
	}
}

func TestKeysOfOthersAreAnAdminsMatter(t *testing.T) {
	e := servertest.Start(t)
	dev, _ := e.User("dev", hearth.RoleDeveloper)
	if _, err := dev.AddKey(t.Context(), rest.NewKey{Name: "x", User: "admin"}); hearth.ErrorCode(err) != hearth.CodeForbidden {
		t.Errorf("a developer made a key of the admin: %v", err)
	}
	if _, err := dev.Keys(t.Context(), "admin", client.Page{}); hearth.ErrorCode(err) != hearth.CodeForbidden {
		t.Errorf("a developer listed keys of the admin: %v", err)
	}
	theirs, err := e.Admin.Keys(t.Context(), "admin", client.Page{})
	if err != nil || len(theirs.Items) != 1 {
		t.Fatalf("got %v, %v", theirs, err)
	}
	if err := dev.DeleteKey(t.Context(), theirs.Items[0].ID); hearth.ErrorCode(err) != hearth.CodeNotFound {
		t.Errorf("a developer deleted a key of the admin: %v", err)
	}
	own, err := dev.AddKey(t.Context(), rest.NewKey{Name: "laptop"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(own.Secret, "hk_") || !strings.HasPrefix(own.Secret, own.Key.Prefix) || len(own.Key.Prefix) > 10 {
		t.Errorf("got %+v", own)
	}
	if err := dev.DeleteKey(t.Context(), own.Key.ID); err != nil {
		t.Error(err)
	}
}

func TestTheLastAdminStays(t *testing.T) {
	e := servertest.Start(t)
	if err := e.Admin.DeleteUser(t.Context(), "admin"); hearth.ErrorCode(err) != hearth.CodeConflict {
		t.Errorf("got %v", err)
	}
}

func TestWrongKeysInARowHaveToWait(t *testing.T) {
	e := servertest.Start(t)
	if _, err := e.Admin.WhoAmI(t.Context()); err != nil {
		t.Fatal(err)
	}
	var last servertest.Answer
	for i := range 30 {
		last = e.Do("GET", "/api/v1/whoami", "", servertest.Auth(fmt.Sprint("hk_wrong", i)))
		if last.StatusCode == 429 {
			break
		}
		if last.StatusCode != 401 {
			t.Fatalf("got %s", last.Status)
		}
	}
	if last.StatusCode != 429 || last.Header.Get("Retry-After") == "" {
		t.Errorf("after 30 wrong keys: %s %v", last.Status, last.Header)
	}
	if _, err := e.Admin.WhoAmI(t.Context()); err != nil {
		t.Errorf("a key in use is kept out too: %v", err)
	}
}

func TestASignInLinkWorksOnce(t *testing.T) {
	e := servertest.Start(t)
	l, err := e.Admin.SignInLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	jar, _ := cookiejar.New(nil)
	browser := http.Client{Jar: jar}
	resp, err := browser.Get(l.URL)
	if err != nil || resp.StatusCode != 200 || resp.Request.URL.Path != "/ui/" {
		t.Fatalf("got %v, %v", resp, err)
	}
	resp.Body.Close()
	u, _ := url.Parse(e.URL())
	if cs := jar.Cookies(u); len(cs) != 1 {
		t.Fatalf("got cookies %v", cs)
	}
	resp, err = browser.Get(e.URL() + "/api/v1/whoami")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("with the session: %v, %v", resp, err)
	}
	resp.Body.Close()
	if a := e.Do("GET", strings.TrimPrefix(l.URL, e.URL()), ""); a.StatusCode != 401 || a.Header.Get("Set-Cookie") != "" {
		t.Errorf("the second time: %s", a.Status)
	}
	a := e.Do("GET", strings.TrimPrefix(l.URL, e.URL()), "", "Accept: text/html,*/*")
	if a.StatusCode != 303 || a.Header.Get("Location") != "/ui/#link-ended" || a.Header.Get("Set-Cookie") != "" {
		t.Errorf("the second time, in a browser: %s %v", a.Status, a.Header)
	}
}

// signIn returns the Cookie header of a new session.
func signIn(t *testing.T, e *servertest.Env) string {
	t.Helper()
	a := e.Do("POST", "/auth/sign-in", `{"key":"`+e.Key+`"}`)
	cs := a.Cookies()
	if a.StatusCode != 204 || len(cs) != 1 {
		t.Fatalf("sign in: %s %v", a.Status, a.Header)
	}
	if c := cs[0]; !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure {
		t.Errorf("got cookie %v", c)
	}
	return "Cookie: " + cs[0].Name + "=" + cs[0].Value
}

func TestASessionEndsWithSignOut(t *testing.T) {
	e := servertest.Start(t)
	cookie := signIn(t, e)
	if a := e.Do("GET", "/api/v1/whoami", "", cookie); a.StatusCode != 200 {
		t.Fatalf("got %s", a.Status)
	}
	if a := e.Do("GET", "/auth/session", "", cookie); a.StatusCode != 200 || !strings.Contains(a.Text, `"name":"admin"`) {
		t.Errorf("asked who is signed in: %s %s", a.Status, a.Body)
	}
	if a := e.Do("POST", "/auth/sign-out", "", cookie); a.StatusCode != 204 {
		t.Fatalf("got %s", a.Status)
	}
	for _, c := range []string{cookie, "Cookie: other=1"} {
		if a := e.Do("GET", "/auth/session", "", c); a.StatusCode != 204 {
			t.Errorf("asked who is signed in when nobody is: %s", a.Status)
		}
	}
	if a := e.Do("GET", "/api/v1/whoami", "", cookie); a.StatusCode != 401 {
		t.Errorf("after signing out: %s", a.Status)
	}
}

func TestOtherSitesCantUseASession(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	cookie := signIn(t, e)
	for _, h := range []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"} {
		if a := e.Do("DELETE", "/api/v1/functions/hello", "", cookie, h); a.StatusCode != 403 {
			t.Errorf("%s: %s", h, a.Status)
		}
	}
	if a := e.Do("DELETE", "/api/v1/functions/hello", "", cookie, "Sec-Fetch-Site: same-origin"); a.StatusCode != 204 {
		t.Errorf("our own page: %s %s", a.Status, a.Text)
	}
}

func TestSecretsStayOutOfTheLog(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{Env: map[string]string{"TOKEN": "sesame-open"}})
	_, secret := e.User("dev", hearth.RoleDeveloper)
	e.Do("GET", "/api/v1/whoami", "", servertest.Auth(secret))
	e.Do("GET", "/api/v1/whoami", "", "Authorization: Bearer hk_wrongwrongwrong")
	e.Do("POST", "/fn/hello/", "{}", servertest.Auth(secret))
	link, err := e.Admin.SignInLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(link.URL, "token=")
	e.Do("GET", strings.TrimPrefix(link.URL, e.URL()), "")
	cookie := signIn(t, e)
	_, session, _ := strings.Cut(cookie, "=")
	e.Do("GET", "/api/v1/whoami", "", cookie)
	log := e.Logs.String()
	if !strings.Contains(log, "/api/v1/whoami") {
		t.Fatal("the log holds nothing at all")
	}
	for _, s := range []string{e.Key, secret, "hk_wrongwrongwrong", token, session, "sesame-open"} {
		if strings.Contains(log, s) {
			t.Errorf("the log holds %q", s)
		}
	}
}
