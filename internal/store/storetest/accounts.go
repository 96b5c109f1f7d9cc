package storetest

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/internal/store"
)

func testUsers(t *testing.T, s store.Store) {
	ada := MustUser(t, s, "ada", hearth.RoleAdmin)
	if ada.ID == "" || ada.CreatedAt.IsZero() || ada.CreatedBy != "root" {
		t.Errorf("added %+v", ada)
	}
	_, err := s.AddUser(t.Context(), hearth.User{Name: "ada", Role: hearth.RoleViewer})
	wantCode(t, err, hearth.CodeConflict)
	for i := range 4 {
		MustUser(t, s, fmt.Sprintf("u%d", i), hearth.RoleViewer)
	}
	for _, get := range []func() (hearth.User, error){
		func() (hearth.User, error) { return s.User(t.Context(), ada.ID) },
		func() (hearth.User, error) { return s.UserByName(t.Context(), "ada") },
	} {
		if d := cmp.Diff(ada, must[hearth.User](t)(get())); d != "" {
			t.Errorf("user: %s", d)
		}
	}
	us := all(t, 2, func(p store.Page) ([]hearth.User, string, error) { return s.Users(t.Context(), p) })
	if len(us) != 5 || us[0].Name != "ada" || us[4].Name != "u3" {
		t.Errorf("listed %v", us)
	}
	if err := s.SetRole(t.Context(), us[1].ID, hearth.RoleDeveloper); err != nil {
		t.Fatal(err)
	}
	if u := must[hearth.User](t)(s.User(t.Context(), us[1].ID)); u.Role != hearth.RoleDeveloper {
		t.Errorf("role is %s", u.Role)
	}
}

func testLastAdmin(t *testing.T, s store.Store) {
	ctx := t.Context()
	ada := MustUser(t, s, "ada", hearth.RoleAdmin)
	MustUser(t, s, "vic", hearth.RoleViewer)
	wantCode(t, s.DeleteUser(ctx, ada.ID), hearth.CodeConflict)
	wantCode(t, s.SetRole(ctx, ada.ID, hearth.RoleDeveloper), hearth.CodeConflict)
	if err := s.SetRole(ctx, ada.ID, hearth.RoleAdmin); err != nil {
		t.Errorf("giving the role again: %v", err)
	}
	bob := MustUser(t, s, "bob", hearth.RoleAdmin)
	if err := s.DeleteUser(ctx, ada.ID); err != nil {
		t.Errorf("deleting one of two: %v", err)
	}
	wantCode(t, s.DeleteUser(ctx, bob.ID), hearth.CodeConflict)
}

func testConcurrentAdmins(t *testing.T, s store.Store) {
	users := []hearth.User{MustUser(t, s, "ada", hearth.RoleAdmin), MustUser(t, s, "bob", hearth.RoleAdmin)}
	wantOneWinner(t, atOnce(2, func(i int) error {
		if i == 0 {
			return s.DeleteUser(t.Context(), users[i].ID)
		}
		return s.SetRole(t.Context(), users[i].ID, hearth.RoleViewer)
	}), hearth.CodeConflict)
}

func testKeys(t *testing.T, s store.Store) {
	ctx := t.Context()
	ada, bob := MustUser(t, s, "ada", hearth.RoleAdmin), MustUser(t, s, "bob", hearth.RoleViewer)
	expires := time.Now().Add(time.Hour).UTC()
	k := must[hearth.Key](t)(s.AddKey(ctx, hearth.Key{User: ada.ID, Name: "laptop", Prefix: "hk_ab", ExpiresAt: &expires}, [32]byte{1}))
	must[hearth.Key](t)(s.AddKey(ctx, hearth.Key{User: bob.ID, Name: "ci"}, [32]byte{2}))
	_, err := s.AddKey(ctx, hearth.Key{User: bob.ID, Name: "stolen"}, [32]byte{1})
	wantCode(t, err, hearth.CodeConflict)

	got, u, err := s.KeyByHash(ctx, [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(k, got); d != "" {
		t.Errorf("key (-added +found):\n%s", d)
	}
	if d := cmp.Diff(ada, u); d != "" {
		t.Errorf("its user: %s", d)
	}
	list := func(user string) []hearth.Key {
		return all(t, 1, func(p store.Page) ([]hearth.Key, string, error) { return s.Keys(ctx, user, p) })
	}
	if ks := list(""); len(ks) != 2 || ks[0].Name != "laptop" {
		t.Errorf("all keys: %v", ks)
	}
	if ks := list(bob.ID); len(ks) != 1 || ks[0].Name != "ci" {
		t.Errorf("keys of bob: %v", ks)
	}
	if err := s.DeleteKey(ctx, k.ID); err != nil {
		t.Fatal(err)
	}
	_, _, err = s.KeyByHash(ctx, [32]byte{1})
	wantCode(t, err, hearth.CodeNotFound)
}

func testExpiredKeys(t *testing.T, s store.Store) {
	ada := MustUser(t, s, "ada", hearth.RoleAdmin)
	past := time.Now().Add(-time.Second)
	must[hearth.Key](t)(s.AddKey(t.Context(), hearth.Key{User: ada.ID, ExpiresAt: &past}, [32]byte{1}))
	_, _, err := s.KeyByHash(t.Context(), [32]byte{1})
	wantCode(t, err, hearth.CodeNotFound)
}

func testKeysOfDeletedUser(t *testing.T, s store.Store) {
	MustUser(t, s, "ada", hearth.RoleAdmin)
	bob := MustUser(t, s, "bob", hearth.RoleDeveloper)
	must[hearth.Key](t)(s.AddKey(t.Context(), hearth.Key{User: bob.ID}, [32]byte{1}))
	if err := s.DeleteUser(t.Context(), bob.ID); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.KeyByHash(t.Context(), [32]byte{1})
	wantCode(t, err, hearth.CodeNotFound)
	if ks, _, err := s.Keys(t.Context(), "", store.Page{}); err != nil || len(ks) != 0 {
		t.Errorf("keys left: %v, %v", ks, err)
	}
}

func testTouchKeys(t *testing.T, s store.Store) {
	ada := MustUser(t, s, "ada", hearth.RoleAdmin)
	k := must[hearth.Key](t)(s.AddKey(t.Context(), hearth.Key{User: ada.ID}, [32]byte{1}))
	if k.LastUsed != nil {
		t.Errorf("a new key was used at %v", k.LastUsed)
	}
	later := hearth.Moment(time.Now())
	for _, at := range []time.Time{later, later.Add(-time.Hour)} {
		if err := s.TouchKeys(t.Context(), map[string]time.Time{k.ID: at, "gone": at}); err != nil {
			t.Fatal(err)
		}
	}
	got, _, err := s.KeyByHash(t.Context(), [32]byte{1})
	if err != nil || got.LastUsed == nil || !got.LastUsed.Equal(later) {
		t.Errorf("last used at %v (%v), want %v", got.LastUsed, err, later)
	}
}

func testSessions(t *testing.T, s store.Store) {
	ctx := t.Context()
	hour := time.Now().Add(time.Hour)
	for _, data := range [][]byte{{0, 1, 255}, []byte("second")} {
		if err := s.SaveSession(ctx, "token", data, hour); err != nil {
			t.Fatal(err)
		}
		got, found, err := s.FindSession(ctx, "token")
		if err != nil || !found || !bytes.Equal(got, data) {
			t.Errorf("found %q, %v, %v", got, found, err)
		}
	}
	if err := s.SaveSession(ctx, "old", nil, time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, found, err := s.FindSession(ctx, "old"); found || err != nil {
		t.Errorf("an expired session: %v, %v", found, err)
	}
	if err := s.DeleteSession(ctx, "token"); err != nil {
		t.Fatal(err)
	}
	if _, found, err := s.FindSession(ctx, "token"); found || err != nil {
		t.Errorf("a deleted session: %v, %v", found, err)
	}
}
