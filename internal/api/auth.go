package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/store"
)

// keyPrefix begins every key, so that people, secret scanners and the gateway
// know one when they see it.
const keyPrefix = "hk_"

// NewSecret makes the secret of a key: 256 random bits.
func NewSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return keyPrefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// HashSecret returns what the store keeps of a secret. A plain hash will do, as
// nobody can guess 256 bits.
func HashSecret(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }

// identity is who makes a request. Key is nil with a session.
type identity struct {
	user hearth.User
	key  *hearth.Key
}

func (id identity) allow(role hearth.Role) error {
	if id.user.Role.Allows(role) {
		return nil
	}
	return hearth.Errorf(hearth.CodeForbidden, "%s is a %s, and this needs a %s", id.user.Name, id.user.Role, role).
		WithHint("ask an admin for a key of a user with the role %s", role)
}

type identityKey struct{}

func withIdentity(ctx context.Context, id identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// caller returns who makes the request, the zero identity for strangers.
func caller(ctx context.Context) identity {
	id, _ := ctx.Value(identityKey{}).(identity)
	return id
}

var errNoKey = hearth.Errorf(hearth.CodeUnauthenticated, "this needs a key").
	WithHint("send it as: Authorization: Bearer KEY")

// identify finds out who makes a request: by key, else by session.
func (a *API) identify(r *http.Request) (identity, error) {
	if secret := bearer(r); secret != "" {
		return a.auth.byKey(r.Context(), secret, a.from.of(r).IP)
	}
	if r.Header.Get("Authorization") != "" {
		return identity{}, errNoKey
	}
	return a.bySession(r)
}

// authorize is identify and the check of the role.
func (a *API) authorize(r *http.Request, role hearth.Role) (identity, error) {
	id, err := a.identify(r)
	if err != nil {
		return id, err
	}
	return id, id.allow(role)
}

// bearer returns the bearer token of a request, "" if there is none.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// ours reports whether a token looks like a key of the platform's.
func ours(token string) bool { return strings.HasPrefix(token, keyPrefix) }

const (
	cachedKeys   = 10_000
	cacheTime    = time.Minute // after which another server's changes are seen
	watchedAddrs = 10_000
	failBurst    = 10 // wrong keys in a row from one address
	failEvery    = time.Second
)

// authenticator knows keys. Lookups are cached, so that the database is not on
// the path of a call.
type authenticator struct {
	store store.Store
	log   *slog.Logger
	now   func() time.Time

	mu       sync.Mutex
	cache    *lru[[32]byte, cachedKey]
	changes  int // grows when something known may have become wrong
	used     map[string]time.Time
	failures *lru[string, *rate.Limiter]
}

type cachedKey struct {
	id    identity
	until time.Time
}

func newAuthenticator(s store.Store, log *slog.Logger) *authenticator {
	return &authenticator{
		store: s, log: log, now: time.Now,
		cache: newLRU[[32]byte, cachedKey](cachedKeys), used: map[string]time.Time{},
		failures: newLRU[string, *rate.Limiter](watchedAddrs),
	}
}

// byKey finds the user of a key. Who sends wrong ones in a row has to wait; a
// key that is in use goes on working from the same address.
func (a *authenticator) byKey(ctx context.Context, secret, from string) (identity, error) {
	hash := HashSecret(secret)
	id, known, before := a.cached(hash)
	if known {
		return id, nil
	}
	if err := a.mayTry(from); err != nil {
		return identity{}, err
	}
	k, u, err := a.store.KeyByHash(ctx, hash)
	if hearth.ErrorCode(err) == hearth.CodeNotFound {
		a.failed(from)
		return identity{}, hearth.Errorf(hearth.CodeUnauthenticated, "the key isn't known, or has expired").
			WithHint("check HEARTH_API_KEY, or the key after Bearer")
	}
	if err != nil {
		return identity{}, err
	}
	id = identity{user: u, key: &k}
	a.remember(hash, id, before)
	return id, nil
}

func (a *authenticator) cached(hash [32]byte) (id identity, known bool, changes int) {
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	c, ok := a.cache.get(hash)
	if !ok || now.After(c.until) {
		return identity{}, false, a.changes
	}
	a.used[c.id.key.ID] = now
	return c.id, true, a.changes
}

func (a *authenticator) remember(hash [32]byte, id identity, before int) {
	until := a.now().Add(cacheTime)
	if e := id.key.ExpiresAt; e != nil && e.Before(until) {
		until = *e
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used[id.key.ID] = a.now()
	if a.changes == before { // else it may have been deleted since it was read
		a.cache.put(hash, cachedKey{id, until})
	}
}

// forget drops what is cached, after a change of keys or users.
func (a *authenticator) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.changes++
	a.cache.clear()
}

func (a *authenticator) mayTry(from string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	l, ok := a.failures.get(from)
	if !ok || l.TokensAt(a.now()) >= 1 {
		return nil
	}
	e := hearth.Errorf(hearth.CodeThrottled, "too many wrong keys from %s", from).WithHint("wait a little, and check the key")
	e.RetryAfter = hearth.Duration(failEvery)
	return e
}

func (a *authenticator) failed(from string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l, ok := a.failures.get(from)
	if !ok {
		l = rate.NewLimiter(rate.Every(failEvery), failBurst)
		a.failures.put(from, l)
	}
	l.AllowN(a.now(), 1)
}

// flush writes when keys were last used.
func (a *authenticator) flush(ctx context.Context) {
	a.mu.Lock()
	used := a.used
	a.used = map[string]time.Time{}
	a.mu.Unlock()
	if len(used) == 0 {
		return
	}
	if err := a.store.TouchKeys(ctx, used); err != nil {
		a.log.Warn("last use of keys not written", "err", err)
	}
}

// IssueKey makes a key for a user and returns its secret.
func IssueKey(ctx context.Context, s store.Accounts, user, name string, expires *time.Time) (rest.CreatedKey, error) {
	secret := NewSecret()
	k, err := s.AddKey(ctx, hearth.Key{
		User: user, Name: name, Prefix: secret[:len(keyPrefix)+6], ExpiresAt: expires,
	}, HashSecret(secret))
	return rest.CreatedKey{Key: k, Secret: secret}, err
}
