package store

import (
	"context"
	"time"

	"hearth"
)

// Store is a database. All methods may be called concurrently. A method that
// writes returns when the write would survive a power cut, except those of
// Telemetry and Metrics, which a power cut may cost the last seconds of.
//
// Errors carry a [hearth.Code]: CodeNotFound, CodeConflict (a name or route is
// taken; the message says by whom), CodeStale (ifRevision isn't the current
// one), CodeInvalid (a cursor that isn't ours). Others are the database's own.
type Store interface {
	Functions
	TestEvents
	Accounts
	Sessions
	Telemetry
	Metrics
	// Ping reports whether the database answers.
	Ping(ctx context.Context) error
	// Close flushes what Telemetry holds and releases the database.
	Close() error
}

// Page asks for a part of a list. Lists are ordered and cursors opaque; the
// returned next is "" at the end.
type Page struct {
	Limit  int // 1 to 1000, 0 is 100
	Cursor string
}

// Functions holds functions, versions and routes.
type Functions interface {
	Function(ctx context.Context, name string) (hearth.Function, error)
	// Functions lists by name. Prefix filters.
	Functions(ctx context.Context, prefix string, p Page) (fs []hearth.Function, next string, err error)

	// AddVersion stores v under the function f.Name as the next number, and
	// the function with f's Public, Routes and CORS if there is none. It does
	// not make the version active and doesn't touch an existing function. It
	// fails with CodeConflict if one of f's routes belongs to another function.
	// Both CreatedAt and Number are set by the store.
	AddVersion(ctx context.Context, f hearth.Function, v hearth.Version) (hearth.Version, error)
	// DropVersion forgets a version that never became active, and its function
	// if that has no other.
	DropVersion(ctx context.Context, name string, number int) error
	// Activate lets d.Version of d.Function take the traffic, applies u and
	// notes d in the history, all in one transaction. The store sets the ID, At
	// and FromVersion of what it notes. ifRevision 0 is any.
	Activate(ctx context.Context, d hearth.Deploy, u FunctionUpdate, ifRevision int64) (hearth.Function, error)
	// UpdateFunction changes what is not nil.
	UpdateFunction(ctx context.Context, name string, u FunctionUpdate, ifRevision int64) (hearth.Function, error)
	// DeleteFunction removes it with versions, routes, test events, captures and
	// groups of failures, and notes in the history that by did. Invocations and
	// logs stay until their retention ends.
	DeleteFunction(ctx context.Context, name, by string, ifRevision int64) error

	Version(ctx context.Context, name string, number int) (hearth.Version, error)
	// Versions lists newest first.
	Versions(ctx context.Context, name string, p Page) (vs []hearth.Version, next string, err error)
	// CodeDigests returns the digests that versions refer to.
	CodeDigests(ctx context.Context) (map[string]bool, error)

	// Deploys lists the history newest first. What is of deleted functions stays.
	Deploys(ctx context.Context, q DeployQuery, p Page) (ds []hearth.Deploy, next string, err error)
}

// DeployQuery filters; zero fields don't.
type DeployQuery struct {
	Function string
	From, To time.Time // From inclusive, To exclusive
}

// TestEvents holds the calls that are kept with functions. Methods on an event
// of a function that isn't there fail with CodeNotFound.
type TestEvents interface {
	// TestEvents lists all of a function by name: there are few.
	TestEvents(ctx context.Context, function string) ([]hearth.TestEvent, error)
	TestEvent(ctx context.Context, function, name string) (hearth.TestEvent, error)
	// PutTestEvent stores e under its name, in the place of the one that was
	// there, and sets UpdatedAt, which grows with every change of an event. It
	// fails with CodeStale unless w holds, and with CodeConflict if the function
	// has hearth.MaxTestEvents others.
	PutTestEvent(ctx context.Context, function string, e hearth.TestEvent, w EventWas) (hearth.TestEvent, error)
	DeleteTestEvent(ctx context.Context, function, name string, w EventWas) error
}

// EventWas is what a change of a test event takes for granted; the zero value is
// nothing.
type EventWas struct {
	Absent    bool
	UpdatedAt time.Time
}

// FunctionUpdate is what may change without a new version; nil leaves it.
type FunctionUpdate struct {
	Public *bool
	Routes *[]hearth.Route
	CORS   **hearth.CORS
}

// Accounts holds users and keys.
type Accounts interface {
	// AddUser sets ID and CreatedAt. Names are unique.
	AddUser(ctx context.Context, u hearth.User) (hearth.User, error)
	User(ctx context.Context, id string) (hearth.User, error)
	UserByName(ctx context.Context, name string) (hearth.User, error)
	Users(ctx context.Context, p Page) (us []hearth.User, next string, err error)
	SetRole(ctx context.Context, id string, role hearth.Role) error
	// DeleteUser removes a user and its keys. The last admin can't be removed
	// (CodeConflict), nor lose the role by SetRole.
	DeleteUser(ctx context.Context, id string) error

	// AddKey stores a key by the SHA-256 of its secret and sets ID and CreatedAt.
	AddKey(ctx context.Context, k hearth.Key, hash [32]byte) (hearth.Key, error)
	// KeyByHash finds a key that has not expired, with its user.
	KeyByHash(ctx context.Context, hash [32]byte) (hearth.Key, hearth.User, error)
	// Keys lists one user's keys, or all with user "".
	Keys(ctx context.Context, user string, p Page) (ks []hearth.Key, next string, err error)
	DeleteKey(ctx context.Context, id string) error
	// TouchKeys notes when keys were last used.
	TouchKeys(ctx context.Context, used map[string]time.Time) error
}

// Sessions holds sign-ins of the dashboard, in the shape that the session
// library asks for.
type Sessions interface {
	FindSession(ctx context.Context, token string) (data []byte, found bool, err error)
	SaveSession(ctx context.Context, token string, data []byte, expiry time.Time) error
	DeleteSession(ctx context.Context, token string) error
}

// Telemetry holds invocations and logs. Writes return at once and are put in
// the database in batches by one writer; when it can't follow, they are
// dropped and counted rather than waited for.
type Telemetry interface {
	RecordInvocation(i hearth.Invocation)
	RecordCapture(c hearth.Capture)
	RecordLog(l hearth.LogLine)
	// Flush waits until what was recorded before the call can be read.
	Flush(ctx context.Context) error
	// Dropped counts the records that were given up since the start.
	Dropped() int64

	Invocation(ctx context.Context, id string) (hearth.Invocation, error)
	// Invocations lists in the order of q.Sort.
	Invocations(ctx context.Context, q InvocationQuery, p Page) (is []hearth.Invocation, next string, err error)
	// Failures lists the groups of failures of a time, the last seen first; of
	// more than 500 those that were seen most.
	Failures(ctx context.Context, q FailureQuery) ([]Failure, error)
	// Capture returns what an invocation was asked and answered.
	Capture(ctx context.Context, invocation string) (hearth.Capture, error)
	// Logs lists oldest first, or newest first with q.Newest.
	Logs(ctx context.Context, q LogQuery, p Page) (ls []hearth.LogLine, next string, err error)
	// CountLogs counts the lines of a query in equal steps of its time, which must
	// have both ends. It doesn't heed AfterSeq and Newest.
	CountLogs(ctx context.Context, q LogQuery, steps int) ([]int64, error)
	// LastLogSeq returns the highest LogLine.Seq ever stored.
	LastLogSeq(ctx context.Context) (int64, error)
	// Prune deletes what is older than before, in small steps, and of captures
	// those beyond the 1000 newest of each function.
	Prune(ctx context.Context, before time.Time) (deleted int64, err error)
}

// Metrics holds windows of what was counted. Rows are only added: several of
// one function and time add up. There is one writer.
type Metrics interface {
	// MetricsState returns the highest ID ever stored, 0 before the first, and
	// what AddMetrics was last given as open.
	MetricsState(ctx context.Context) (lastID int64, open []byte, err error)
	// AddMetrics stores rows, whose IDs must rise, and replaces open. It leaves
	// out rows whose ID isn't above all stored before: who doesn't know whether
	// it worked may call it again, with further rows.
	AddMetrics(ctx context.Context, rows []MetricRow, open []byte) error
	// RollUpMetrics marks n rows of r as held by rows, which it stores in the
	// same transaction. It changes nothing and fails with CodeConflict if r
	// hasn't exactly n rows that aren't marked, or if the ID of the first of rows
	// isn't above all stored before.
	RollUpMetrics(ctx context.Context, r MetricRange, n int, rows []MetricRow) error
	// Metrics calls fn with rows until it fails: those of each function that is
	// named after the other, each oldest first. fn must not call the store.
	Metrics(ctx context.Context, q MetricQuery, fn func(MetricRow) error) error
	// PruneMetrics deletes rows of a step that begin before a time, in Unix
	// seconds, in small steps. With rolled those stay that no other row holds.
	PruneMetrics(ctx context.Context, step, before int64, rolled bool) (deleted int64, err error)
}

// MetricRow is a window of what was counted of one version of a function, or of
// the whole server.
type MetricRow struct {
	ID       int64
	Step     int64  // seconds
	At       int64  // Unix seconds of its beginning
	Function string // "" for the whole server
	Version  int
	Data     []byte
}

// MetricRange is the rows of a step that begin in From <= At < To and whose
// function is in First <= Function <= Last, with IDs up to LastID.
type MetricRange struct {
	Step, From, To int64
	First, Last    string
	LastID         int64
}

// MetricQuery selects rows of a step.
type MetricQuery struct {
	Step      int64
	From, To  int64    // From inclusive, To exclusive
	Functions []string // "" is the whole server; nil is all
	LastID    int64    // IDs up to it; 0 is all
	NotRolled bool     // only those that no other row holds
}

// InvocationQuery filters; zero fields don't.
type InvocationQuery struct {
	Function    string
	Version     int
	Outcomes    []hearth.Outcome // any of these
	Trigger     hearth.Trigger
	Starts      []hearth.Start // any of these
	Fingerprint string
	ID          string        // its beginning
	Text        string        // substring of the error's type or message, case-insensitive
	MinDuration time.Duration // inclusive
	MaxDuration time.Duration // inclusive
	MinMemory   float64       // the least share of its memory limit that it used, 0 to 1
	From, To    time.Time     // From inclusive, To exclusive
	Sort        Sort
}

// Sort is the order of a list of invocations. Those that are equal in it are in
// the order of their ids.
type Sort string

// The orders.
const (
	SortNewest  Sort = "newest" // the default
	SortOldest  Sort = "oldest"
	SortSlowest Sort = "slowest"
	SortMemory  Sort = "memory" // by the peak, the highest first
	SortCost    Sort = "cost"   // by hearth.Invocation.GBSeconds, the highest first
)

// FailureQuery chooses failures; From and To are needed.
type FailureQuery struct {
	Function string    // "" is all
	From, To time.Time // From inclusive, To exclusive
	Steps    int       // in which they are counted, 1 or more
}

// Failure is a group of invocations of one function that failed alike.
type Failure struct {
	Function, Fingerprint string
	// Those of the latest, whenever it was.
	Outcome              hearth.Outcome
	Type, Message, Frame string
	// Ever, as far as the group is remembered.
	First, Last               time.Time
	FirstVersion, LastVersion int
	// In the time of the query.
	Count   int64
	Counts  []int64  // by step
	Samples []string // ids of the newest, 5 at most
}

// LogQuery filters; zero fields don't.
type LogQuery struct {
	Function   string
	Version    int
	Invocation string
	Stream     string
	Levels     []hearth.Level // any of these
	Text       string         // substring, case-insensitive
	From, To   time.Time      // From inclusive, To exclusive
	AfterSeq   int64
	Newest     bool
}
