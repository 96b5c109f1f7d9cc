package capture

import "strings"

// secretWords make a name that holds one of them the name of a secret, whatever
// its case and the marks between its words.
var secretWords = []string{
	"password", "passwd", "passphrase", "passcode", "passkey", "pwd", "secret", "token", "credential", "authorization",
	"apikey", "accesskey", "privatekey", "signingkey", "encryptionkey", "masterkey", "sharedkey", "authkey", "accountkey",
	"cookie", "sessionid", "sessionkey", "jwt", "bearer", "connectionstring", "cardnumber", "creditcard", "securitycode",
}

// secretNames are those of secrets only when they are the whole name: "pass"
// would also be in "passenger".
var secretNames = []string{"auth", "pass", "pin", "otp", "totp", "cvv", "cvc", "cvv2", "ssn", "sid", "psk"}

// secretParams are names of secrets in the query of a URL and not elsewhere.
var secretParams = []string{"key", "sig", "signature"}

// plain returns a name without case and marks: "apikey" of "X-Api_Key" is part
// of what it returns.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, name)
}

// secretName reports whether the value under a name is a secret.
func secretName(name string) bool {
	if len(name) < 3 {
		return false
	}
	p := plain(name)
	for _, w := range secretNames {
		if p == w {
			return true
		}
	}
	for _, w := range secretWords {
		if strings.Contains(p, w) {
			return true
		}
	}
	// user[pass], user.pin
	if i := strings.LastIndexAny(strings.TrimRight(name, "]) "), ".[(:/"); i >= 0 {
		return secretName(name[i+1:])
	}
	return false
}

// secretValue reports whether a value of that name, as it is written, is worth
// hiding: nothing is given away by true, null or the number of tokens used.
func secretValue(name, value string) bool {
	switch v := strings.Trim(value, `"' `); v {
	case "", "null", "true", "false", "None", "True", "False", "undefined", "{}", "[]", hidden:
		return false
	default:
		return !strings.HasSuffix(plain(name), "tokens") || strings.Trim(v, "0123456789.") != ""
	}
}

func secretParam(name string) bool {
	p := plain(name)
	for _, w := range secretParams {
		if p == w {
			return true
		}
	}
	return secretName(name)
}

// openKeys are headers that end in -key and are no secrets.
var openKeys = []string{"idempotency-key", "sec-websocket-key", "surrogate-key", "cache-key", "sort-key", "routing-key", "partition-key"}

// secretHeader reports whether a header's value is a secret.
func secretHeader(name string) bool {
	name = strings.ToLower(name)
	if strings.HasSuffix(name, "-key") {
		for _, k := range openKeys {
			if strings.HasSuffix(name, k) {
				return false
			}
		}
		return true
	}
	for part := range strings.SplitSeq(name, "-") {
		if part == "auth" {
			return true
		}
	}
	return secretName(name)
}
