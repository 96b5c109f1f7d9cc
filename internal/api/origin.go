package api

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// origin is where a request came from, as far as it can be believed.
type origin struct {
	IP      string
	Scheme  string
	Host    string
	Trusted bool // a trusted proxy sent it
}

// origins reads X-Forwarded-* headers, but only those of trusted proxies.
type origins struct{ trusted []netip.Prefix }

func (o origins) of(r *http.Request) origin {
	out := origin{IP: remoteIP(r), Scheme: "http", Host: r.Host}
	if r.TLS != nil {
		out.Scheme = "https"
	}
	if !o.trusts(out.IP) {
		return out
	}
	out.Trusted = true
	if p := r.Header.Get("X-Forwarded-Proto"); p == "http" || p == "https" {
		out.Scheme = p
	}
	if h := r.Header.Get("X-Forwarded-Host"); h != "" {
		out.Host = h
	}
	// Each proxy appends whom it saw. From the right, the first that isn't a
	// proxy of ours is the caller; what stands left of it is the caller's word.
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		out.IP = a.Unmap().String()
		if !o.trusts(out.IP) {
			break
		}
	}
	return out
}

func (o origins) trusts(ip string) bool {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return false
	}
	for _, p := range o.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func remoteIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().WithZone("").String()
	}
	return host
}
