package config

import (
	"strings"
	"testing"
	"time"
)

func TestSettingsAreToldButForPaths(t *testing.T) {
	c := Default()
	c.Data, c.TLSCert, c.TLSKey = "/secret/data", "/secret/cert.pem", "/secret/key.pem"
	c.KeepAlive, c.TrustedProxies = time.Minute, []string{"10.0.0.0/8", "192.0.2.7"}
	got := map[string]Setting{}
	for _, s := range c.Settings() {
		if strings.Contains(s.Value+s.Default, "/secret") || s.Usage == "" {
			t.Errorf("it tells %+v", s)
		}
		got[s.Name] = s
	}
	if s := got["keep_alive"]; s.Value != "1m0s" || s.Default != "10m0s" {
		t.Errorf("keep_alive is %+v", s)
	}
	if s := got["trusted_proxies"]; s.Value != "10.0.0.0/8, 192.0.2.7" || s.Default != "" {
		t.Errorf("trusted_proxies is %+v", s)
	}
	if len(got) != len(keys())-3 {
		t.Errorf("of %d settings %d are told", len(keys()), len(got))
	}
}
