package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/store"
)

const (
	sessionCookie = "hearth_session"
	sessionUser   = "user"
	sessionLife   = 7 * 24 * time.Hour
	linkLife      = 10 * time.Minute
	maxLinks      = 1000
)

// sessions are the sign-ins of browsers. A session holds the user's ID only, so
// a change of role or the user's end holds at once.
type sessions struct {
	scs   *scs.SessionManager
	csrf  *http.CrossOriginProtection
	mu    sync.Mutex
	links *lru[[32]byte, link]
}

type link struct {
	user  string // ID
	until time.Time
}

func newSessions(s store.Sessions, secure bool) *sessions {
	// Not scs.New: it starts a goroutine, for a store that we don't use, which
	// can't be stopped without a data race.
	m := &scs.SessionManager{
		Store: sessionStore{s}, Lifetime: sessionLife, HashTokenInStore: true, Codec: scs.GobCodec{},
		Cookie: scs.SessionCookie{
			Name: sessionCookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: secure, Persist: true,
		},
	}
	return &sessions{scs: m, csrf: http.NewCrossOriginProtection(), links: newLRU[[32]byte, link](maxLinks)}
}

// sessionStore is our store in the shape that scs asks for.
type sessionStore struct{ s store.Sessions }

func (s sessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	return s.s.FindSession(ctx, token)
}

func (s sessionStore) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	return s.s.SaveSession(ctx, token, b, expiry)
}

func (s sessionStore) DeleteCtx(ctx context.Context, token string) error {
	return s.s.DeleteSession(ctx, token)
}

var errNoContext = errors.New("sessions need a context")

// Find, Commit and Delete are there for the interface; scs calls the others.
func (sessionStore) Find(string) ([]byte, bool, error)      { return nil, false, errNoContext }
func (sessionStore) Commit(string, []byte, time.Time) error { return errNoContext }
func (sessionStore) Delete(string) error                    { return errNoContext }

// ownSite fails if a page of another site has the browser change something here.
func (s *sessions) ownSite(r *http.Request) error {
	if err := s.csrf.Check(r); err != nil {
		return hearth.Errorf(hearth.CodeForbidden, "the request comes from another site")
	}
	return nil
}

// bySession finds the user of a session's cookie. As browsers send cookies by
// themselves, a request that changes something must come from our own page.
func (a *API) bySession(r *http.Request) (identity, error) {
	c, err := r.Cookie(sessionCookie)
	if err != nil || c.Value == "" {
		return identity{}, errNoKey
	}
	if err := a.sessions.ownSite(r); err != nil {
		return identity{}, err
	}
	ctx, err := a.sessions.scs.Load(r.Context(), c.Value)
	if err != nil {
		return identity{}, err
	}
	user := a.sessions.scs.GetString(ctx, sessionUser)
	if user == "" {
		return identity{}, hearth.Errorf(hearth.CodeUnauthenticated, "the session has ended").WithHint("sign in again")
	}
	u, err := a.o.Store.User(r.Context(), user)
	if hearth.ErrorCode(err) == hearth.CodeNotFound {
		return identity{}, hearth.Errorf(hearth.CodeUnauthenticated, "the user is gone")
	}
	return identity{user: u}, err
}

// SignInLink makes an address that signs a browser in as the user with this ID,
// once, within ten minutes.
func (a *API) SignInLink(userID string) rest.SignInLink {
	token := rand.Text()
	until := time.Now().Add(linkLife)
	a.sessions.mu.Lock()
	defer a.sessions.mu.Unlock()
	a.sessions.links.put(sha256.Sum256([]byte(token)), link{userID, until})
	return rest.SignInLink{URL: a.o.URL() + "/auth/link?token=" + token, ExpiresAt: hearth.Moment(until)}
}

// useLink returns the user of a link that is still good, and ends the link.
func (s *sessions) useLink(token string) (string, bool) {
	hash := sha256.Sum256([]byte(token))
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.links.get(hash)
	s.links.remove(hash)
	return l.user, ok && time.Now().Before(l.until)
}

// serveAuth signs browsers in and out.
func (a *API) serveAuth(w http.ResponseWriter, r *http.Request) {
	ownHeaders(w)
	door, ok := map[string]struct {
		method string
		open   func(http.ResponseWriter, *http.Request) error
	}{
		"/auth/link":     {http.MethodGet, a.signInByLink},
		"/auth/sign-in":  {http.MethodPost, a.signInByKey},
		"/auth/sign-out": {http.MethodPost, a.signOut},
		"/auth/session":  {http.MethodGet, a.tellSession},
	}[r.URL.Path]
	var err error
	switch {
	case !ok:
		err = notFound(r)
	case r.Method != door.method:
		err = methodNotAllowed(w, r, door.method)
	default:
		err = door.open(w, r)
	}
	if err != nil {
		a.fail(w, r, err)
	}
}

// tellSession says who is signed in; 204 is nobody. It isn't an error to ask,
// as the dashboard does when it opens.
func (a *API) tellSession(w http.ResponseWriter, r *http.Request) error {
	id, err := a.bySession(r)
	if hearth.ErrorCode(err) == hearth.CodeUnauthenticated {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, rest.Identity{User: id.user})
	return nil
}

func (a *API) signInByLink(w http.ResponseWriter, r *http.Request) error {
	from := a.from.of(r).IP
	if err := a.auth.mayTry(from); err != nil {
		return err
	}
	user, ok := a.sessions.useLink(r.URL.Query().Get("token"))
	if !ok {
		a.auth.failed(from)
		if strings.Contains(r.Header.Get("Accept"), "text/html") { // a person, whom the dashboard tells
			http.Redirect(w, r, "/ui/#link-ended", http.StatusSeeOther)
			return nil
		}
		return hearth.Errorf(hearth.CodeUnauthenticated, "the link was used already, or is older than ten minutes").
			WithHint("make another with: hearth open, or sign in at /ui/ with a key")
	}
	if err := a.startSession(w, r, user); err != nil {
		return err
	}
	http.Redirect(w, r, "/ui/", http.StatusSeeOther)
	return nil
}

func (a *API) signInByKey(w http.ResponseWriter, r *http.Request) error {
	if err := a.sessions.ownSite(r); err != nil {
		return err
	}
	var in struct{ Key string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&in); err != nil {
		return hearth.Errorf(hearth.CodeInvalid, `the body is not {"key": "…"}`)
	}
	id, err := a.auth.byKey(r.Context(), in.Key, a.from.of(r).IP)
	if err != nil {
		return err
	}
	if err := a.startSession(w, r, id.user.ID); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// startSession always begins a new one: a token that somebody planted in the
// browser before is worth nothing.
func (a *API) startSession(w http.ResponseWriter, r *http.Request, user string) error {
	m := a.sessions.scs
	ctx, err := m.Load(r.Context(), "")
	if err != nil {
		return err
	}
	m.Put(ctx, sessionUser, user)
	token, expiry, err := m.Commit(ctx)
	if err != nil {
		return err
	}
	m.WriteSessionCookie(ctx, w, token, expiry)
	return nil
}

func (a *API) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := a.sessions.ownSite(r); err != nil {
		return err
	}
	if c, err := r.Cookie(sessionCookie); err == nil {
		ctx, err := a.sessions.scs.Load(r.Context(), c.Value)
		if err != nil {
			return err
		}
		if err := a.sessions.scs.Destroy(ctx); err != nil {
			return err
		}
		a.sessions.scs.WriteSessionCookie(ctx, w, "", time.Time{})
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
