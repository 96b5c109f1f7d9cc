package api

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func request(remote string, headers ...string) *http.Request {
	r := httptest.NewRequest("GET", "http://front.example/x", nil)
	r.RemoteAddr = remote + ":1234"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestOnlyTrustedProxiesAreBelieved(t *testing.T) {
	o := origins{trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32")}}
	for _, tt := range []struct {
		name string
		r    *http.Request
		want origin
	}{
		{"a stranger's word", request("203.0.113.9", "X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil"),
			origin{IP: "203.0.113.9", Scheme: "http", Host: "front.example"}},
		{"a proxy's word", request("10.1.1.1", "X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "shop.example"),
			origin{IP: "1.2.3.4", Scheme: "https", Host: "shop.example", Trusted: true}},
		{"what the caller put left of it", request("10.1.1.1", "X-Forwarded-For", "6.6.6.6, 1.2.3.4"),
			origin{IP: "1.2.3.4", Scheme: "http", Host: "front.example", Trusted: true}},
		{"a chain of proxies", request("10.1.1.1", "X-Forwarded-For", "6.6.6.6, 1.2.3.4, 192.0.2.7", "X-Forwarded-For", "10.9.9.9"),
			origin{IP: "1.2.3.4", Scheme: "http", Host: "front.example", Trusted: true}},
		{"nonsense", request("10.1.1.1", "X-Forwarded-For", "unknown", "X-Forwarded-Proto", "gopher"),
			origin{IP: "10.1.1.1", Scheme: "http", Host: "front.example", Trusted: true}},
		{"IPv4 in IPv6", request("[::ffff:10.1.1.1]", "X-Forwarded-For", "::ffff:1.2.3.4"),
			origin{IP: "1.2.3.4", Scheme: "http", Host: "front.example", Trusted: true}},
	} {
		if d := cmp.Diff(tt.want, o.of(tt.r)); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

func TestFunctionsDoNotSeeThePlatformsCredentials(t *testing.T) {
	r := request("203.0.113.9",
		"Authorization", "Bearer hk_secret", "Cookie", "a=1; hearth_session=secret; b=2", "X-Forwarded-For", "6.6.6.6", "Forwarded", "for=6.6.6.6",
		"X-Real-Ip", "6.6.6.6", "X-Hearth-Version", "7", "Connection", "close, X-Drop", "X-Drop", "1", "Upgrade", "h2c", "Te", "trailers", "X-Keep", "1")
	h := eventHeaders(r, origins{}.of(r))
	want := map[string][]string{
		"Cookie": {"a=1; b=2"}, "X-Forwarded-For": {"203.0.113.9"}, "X-Forwarded-Proto": {"http"},
		"X-Forwarded-Host": {"front.example"}, "Host": {"front.example"}, "X-Keep": {"1"},
	}
	if d := cmp.Diff(want, h); d != "" {
		t.Error(d)
	}
	r = request("203.0.113.9", "Authorization", "Bearer somebody-elses", "Cookie", "hearth_session=secret")
	h = eventHeaders(r, origins{}.of(r))
	if h["Authorization"][0] != "Bearer somebody-elses" || h["Cookie"] != nil {
		t.Errorf("got %v", h)
	}
}

func TestTheLeastRecentlyUsedIsForgotten(t *testing.T) {
	l := newLRU[string, int](2)
	l.put("a", 1)
	l.put("b", 2)
	l.get("a")
	l.put("c", 3)
	_, b := l.get("b")
	a, _ := l.get("a")
	if b || a != 1 || len(l.items) != 2 {
		t.Errorf("got %v %v", a, b)
	}
	l.remove("a")
	l.put("c", 4)
	if c, ok := l.get("c"); !ok || c != 4 || l.order.Len() != 1 {
		t.Errorf("got %v", c)
	}
}
