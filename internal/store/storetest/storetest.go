package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"hearth"
	"hearth/internal/store"
)

// Open returns an empty store that lives until the test ends.
type Open func(t *testing.T) store.Store

// Run tests the stores that open returns.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, s store.Store)
	}{
		{"a first version makes its function", testFirstVersion},
		{"versions are numbered and never again", testNumbers},
		{"a version keeps what it was given", testVersionRoundTrip},
		{"adding a version leaves the function as it is", testAddKeepsFunction},
		{"activating moves the traffic", testActivate},
		{"a stale change is refused", testStale},
		{"of many changes of one revision one wins", testConcurrentUpdates},
		{"what is missing is not found", testNotFound},
		{"a route has one owner", testRouteOwner},
		{"routes differ by method", testRouteMethods},
		{"routes keep their CORS", testRouteCORS},
		{"of many claims of one route one wins", testConcurrentRoutes},
		{"deleting a function frees its name and routes", testDeleteFunction},
		{"dropping an idle version forgets it", testDropVersion},
		{"functions are listed by name", testListFunctions},
		{"pages hold while rows come and go", testPagingUnderWrites},
		{"versions are listed newest first", testListVersions},
		{"strange cursors and limits are refused", testBadPages},
		{"digests in use are known", testDigests},
		{"concurrent deploys get numbers of their own", testConcurrentDeploys},
		{"the history tells what served when, and why", testHistory},
		{"the history is filtered and read page by page", testHistoryPages},
		{"what was refused is not in the history", testNoHistory},

		{"test events come back whole", testEventRoundTrip},
		{"test events go with their function", testEventsOfDeleted},
		{"a stale change of a test event is refused", testStaleEvent},
		{"a function has so many test events and no more", testTooManyEvents},
		{"what has no test events is not found", testMissingEvents},

		{"users have one name each", testUsers},
		{"the last admin stays", testLastAdmin},
		{"of two admins that leave at once one stays", testConcurrentAdmins},
		{"keys are found by their hash", testKeys},
		{"expired keys are not found", testExpiredKeys},
		{"keys go with their user", testKeysOfDeletedUser},
		{"the last use of a key only moves forward", testTouchKeys},
		{"sessions end", testSessions},

		{"invocations come back whole", testInvocationRoundTrip},
		{"invocations are filtered and sorted", testInvocations},
		{"invocations of one instant are all listed", testInvocationTies},
		{"a second record of an invocation replaces the first", testInvocationAgain},
		{"failures are grouped", testFailures},
		{"groups of failures end with their function and their time", testFailuresEnd},
		{"of too many groups the frequent are listed", testManyFailures},
		{"captures come back whole", testCaptures},
		{"of too many captures the newest stay", testTooManyCaptures},
		{"logs come back in order", testLogs},
		{"logs are filtered", testLogFilters},
		{"the newest lines of a time are found", testNewestOfATime},
		{"log lines are counted by time", testCountLogs},
		{"logs are searched without regard to case", testLogSearch},
		{"tails go on behind the last line", testTail},
		{"numbers of lines survive a prune", testLastLogSeq},
		{"prune deletes the old and no more", testPrune},
		{"flush waits for what was recorded", testFlushUnderLoad},
		{"records after close are counted as dropped", testClose},

		{"metrics come back as they were", testMetricRoundTrip},
		{"metrics that are there are not added again", testMetricsAgain},
		{"metrics are found by step, time and function", testMetricQueries},
		{"metrics are rolled up once", testRollUp},
		{"old metrics are deleted, once others hold them", testPruneMetrics},

		{"a cancelled context ends a call", testCancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
}

// Version returns a version with every field set.
func Version() hearth.Version {
	c := hearth.DefaultConfig()
	c.Env = map[string]string{"GREETING": "héllo\nworld"}
	c.Network = hearth.NetworkEgress
	c.Limits.CPU = 0.25
	c.Batch = hearth.Batch{Size: 8, Wait: hearth.Duration(3 * time.Millisecond)}
	c.KeepAlive = hearth.Duration(90 * time.Second)
	return hearth.Version{
		Runtime: "python3.11", Handler: "pkg.main.handler", Sandbox: "native",
		CodeDigest: "sha256:0011", CodeBytes: 1234, Config: c, Message: "Say „hello“ louder", CreatedBy: "ada",
	}
}

// Function returns a function of the name with routes, given as strings.
func Function(name string, routes ...string) hearth.Function {
	f := hearth.Function{Name: name, CreatedBy: "ada"}
	for _, r := range routes {
		route, err := hearth.ParseRoute(r)
		if err != nil {
			panic(err)
		}
		f.Routes = append(f.Routes, route)
	}
	return f
}

// Activation is what a deploy of new code notes.
func Activation(function string, number int) hearth.Deploy {
	return hearth.Deploy{Function: function, Version: number, Kind: hearth.DeployNew, By: "ada"}
}

// MustDeploy adds a version and activates it.
func MustDeploy(t *testing.T, s store.Store, f hearth.Function) hearth.Version {
	t.Helper()
	v := MustAdd(t, s, f)
	if _, err := s.Activate(t.Context(), Activation(f.Name, v.Number), store.FunctionUpdate{}, 0); err != nil {
		t.Fatalf("activate %s: %v", v.Ref(), err)
	}
	return v
}

// MustAdd adds a version.
func MustAdd(t *testing.T, s store.Store, f hearth.Function) hearth.Version {
	t.Helper()
	v, err := s.AddVersion(t.Context(), f, Version())
	if err != nil {
		t.Fatalf("add version of %s: %v", f.Name, err)
	}
	return v
}

// MustUser adds a user.
func MustUser(t *testing.T, s store.Store, name string, role hearth.Role) hearth.User {
	t.Helper()
	u, err := s.AddUser(t.Context(), hearth.User{Name: name, Role: role, CreatedBy: "root"})
	if err != nil {
		t.Fatalf("add user %s: %v", name, err)
	}
	return u
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func mustFlush(t *testing.T, s store.Store) {
	t.Helper()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatalf("flush: %v", err)
	}
}

// wantCode fails unless err has the code and, for what a user reads, a hint.
// It returns the message.
func wantCode(t *testing.T, err error, code hearth.Code) string {
	t.Helper()
	var e *hearth.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want one with code %s", err, code)
	}
	if e.Code != code {
		t.Fatalf("error is %s (%v), want %s", e.Code, err, code)
	}
	if e.Hint == "" {
		t.Errorf("error %q has no hint", e.Message)
	}
	return e.Message
}

// all reads every page of a list in steps of limit.
func all[T any](t *testing.T, limit int, list func(p store.Page) ([]T, string, error)) []T {
	t.Helper()
	var out []T
	var cursor string
	for range 10_000 {
		page, next, err := list(store.Page{Limit: limit, Cursor: cursor})
		if err != nil {
			t.Fatalf("list from %q: %v", cursor, err)
		}
		if len(page) > limit {
			t.Fatalf("a page of %d has %d", limit, len(page))
		}
		out = append(out, page...)
		if next == "" {
			return out
		}
		cursor = next
	}
	t.Fatal("the list doesn't end")
	return nil
}

// atOnce calls fn n times at the same moment and returns what each returned.
func atOnce(n int, fn func(i int) error) []error {
	start, errs, done := make(chan struct{}), make([]error, n), make(chan struct{})
	for i := range n {
		go func() {
			<-start
			errs[i] = fn(i)
			done <- struct{}{}
		}()
	}
	close(start)
	for range n {
		<-done
	}
	return errs
}

// wantOneWinner fails unless one call worked and the others failed with code.
func wantOneWinner(t *testing.T, errs []error, code hearth.Code) {
	t.Helper()
	winners := 0
	for _, err := range errs {
		if err == nil {
			winners++
			continue
		}
		if got := hearth.ErrorCode(err); got != code {
			t.Errorf("a loser got %s (%v), want %s", got, err, code)
		}
	}
	if winners != 1 {
		t.Errorf("%d of %d calls worked, want 1", winners, len(errs))
	}
}

func names(fs []hearth.Function) string {
	var s []string
	for _, f := range fs {
		s = append(s, f.Name)
	}
	return fmt.Sprint(s)
}

func testCancelled(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.AddVersion(ctx, Function("a"), Version()); !errors.Is(err, context.Canceled) {
		t.Errorf("a write returned %v", err)
	}
	if _, _, err := s.Functions(ctx, "", store.Page{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a read returned %v", err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("afterwards, ping: %v", err)
	}
}
