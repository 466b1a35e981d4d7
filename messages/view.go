package messages

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// This file is what an operator sees and orders: how a machine stands (View), what happened there (EventRecord), what is to be done (Directive). Its JSON is the admin API's.

// GetSnapshot (behaviour → clusters, sessions) asks how everything stands, for events tell only what changes. Clusters answer by a FleetSnapshot, a ClusterSnapshot for each
// cluster, and a ShardsSnapshot from each that has a process which said who it is; sessions by a SessionsSnapshot.
type GetSnapshot struct{}

// FleetSnapshot (clusters → who asked) answers GetSnapshot: what the fleet has in common, as far as it is known.
type FleetSnapshot struct {
	ShardCount, MaxConcurrency, ShardsPerCluster int
	Halted                                       bool
}

// ClusterSnapshot (clusters → who asked) answers GetSnapshot: what the last ClusterMoved said.
type ClusterSnapshot struct{ Moved ClusterMoved }

// ShardsSnapshot (cluster → who asked) answers GetSnapshot.
type ShardsSnapshot struct {
	Cluster ClusterID
	Range   ShardRange
	Shards  []ShardSnapshot // in the order of Range
}

// ShardSnapshot is one shard of a ShardsSnapshot.
type ShardSnapshot struct {
	State           ShardState
	LatencyMS       Milliseconds // of the gateway; 0: not known
	Guilds          int          // -1: not known
	EventsPerSecond float64      // from Discord, to a tenth; -1: not known
	Unready         time.Time    // since when it is not READY; zero: it is, or nothing is known of it
	Stuck           string       // why it is reported as stuck (ShardStuck); "": it is not
}

// SessionsSnapshot (sessions → who asked) answers GetSnapshot: what could be resumed, without what it takes to do so.
type SessionsSnapshot struct{ Sessions []SessionView } // by shard, in the order of the clusters

// SessionView is one shard's session.
type SessionView struct {
	Shard    int        `json:"shard"`
	Cluster  ClusterID  `json:"cluster"`
	Seq      int64      `json:"seq"`                // of the last event that the bot has dealt with
	At       time.Time  `json:"at"`                 // when seq was last known true
	Orphaned *time.Time `json:"orphaned,omitempty"` // since when no process has it: Discord forgets it then
}

// GetView (anybody → desk) asks for the View. Answer is called once, and must not block.
type GetView struct{ Answer func(View) }

// Follow (anybody → desk) asks for the events after one that is known, and for all that come, from a level on. Deliver is called at once with what is kept of them, perhaps
// nothing, and then for each, and now and then with nothing; it must not block, and the first false is the last call.
type Follow struct {
	After   uint64 // 0: what comes from now on
	Least   Level
	Deliver func(EventBatch) bool
}

// EventBatch is what Follow gets at a time.
type EventBatch struct {
	Events []EventRecord
	Last   uint64 // the last event that was considered
	Gap    bool   // of what came after Follow.After not all is kept
}

// Order (anybody → desk) gives a Directive. Answer is called once, and must not block.
type Order struct {
	Directive Directive
	By        string // who gives it, for the log
	Answer    func(Verdict)
}

// Directive is what an operator can order of a machine: RestartCluster, DrainCluster, StopCluster, RollingRestart, AcceptMaster. The set is closed.
type Directive interface {
	// Order is the directive in words, and the cluster it is for; nil: all.
	Order() (name string, cluster *ClusterID)
}

// The names of the directives.
const (
	OrderRestart = "restart"
	OrderDrain   = "drain"
	OrderStop    = "stop"
	OrderRolling = "rolling-restart"
	OrderAccept  = "accept-master"
)

// Order is part of Directive.
func (m RestartCluster) Order() (string, *ClusterID) { return OrderRestart, &m.Cluster }

// Order is part of Directive.
func (m DrainCluster) Order() (string, *ClusterID) { return OrderDrain, &m.Cluster }

// Order is part of Directive.
func (m StopCluster) Order() (string, *ClusterID) { return OrderStop, &m.Cluster }

// Order is part of Directive.
func (m RollingRestart) Order() (string, *ClusterID) { return OrderRolling, nil }

// Order is part of Directive.
func (m AcceptMaster) Order() (string, *ClusterID) { return OrderAccept, nil }

// Verdict is what became of an Order: it was passed on, or refused.
type Verdict struct {
	Refusal Refusal
	Reason  string // of a refusal
	After   uint64 // the last event before the order: those that follow tell how it goes
	Done    bool   // it was carried out already: nothing follows
}

// Refusal is why an order was not passed on; "" when it was.
type Refusal string

const (
	RefusedUnknown Refusal = "unknown" // no such cluster, or machine, here
	RefusedNow     Refusal = "not_now" // as things stand
)

// View is how one machine stands.
type View struct {
	LastEvent uint64        `json:"last_event"` // the view includes it, and nothing that came after
	At        time.Time     `json:"at"`
	Machine   MachineView   `json:"machine"`
	Clusters  []ClusterView `json:"clusters"` // by their ids
	Counters  Counters      `json:"-"`
	Sessions  []SessionView `json:"-"`
}

// MachineView is a machine as a whole.
type MachineView struct {
	Source           string       `json:"source"`
	Version          string       `json:"version"`
	Host             string       `json:"host"`
	PID              int          `json:"pid"`
	Started          time.Time    `json:"started"`
	Master           MasterView   `json:"master"`
	ShardCount       int          `json:"shard_count"` // of the whole bot; 0: not known
	MaxConcurrency   int          `json:"max_concurrency"`
	ShardsPerCluster int          `json:"shards_per_cluster"`
	Shards           int          `json:"shards"` // of this machine
	ShardsReady      int          `json:"shards_ready"`
	Clusters         ClusterCount `json:"clusters"`
	Halted           bool         `json:"halted"` // Discord refuses the token or its intents: nothing identifies
	Outage           bool         `json:"outage"` // of Discord
	Rolling          *RollingView `json:"rolling_restart,omitempty"`
}

// ClusterCount is a machine's clusters by what they do.
type ClusterCount struct {
	Serving  int `json:"serving"`
	Starting int `json:"starting"` // on the way up, or to be restarted, or on the way down
	Stopped  int `json:"stopped"`  // by order
	Failed   int `json:"failed"`   // given up
}

// MasterView is the link to MASTER.
type MasterView struct {
	URL   string    `json:"url,omitempty"`
	Up    bool      `json:"up"`
	Since time.Time `json:"since"` // of Up
	Err   string    `json:"err,omitempty"`
	Epoch int64     `json:"epoch"`
}

// RollingView is the last rolling restart.
type RollingView struct {
	State   string     `json:"state"` // "started", "done" or "stopped"
	At      time.Time  `json:"at"`
	Done    int        `json:"done"`
	Left    int        `json:"left"`
	Cluster *ClusterID `json:"cluster,omitempty"`
	Err     string     `json:"err,omitempty"`
}

// ClusterView is one cluster. States and latencies are in the order of its shards, the first first: ten thousand shards are a small answer.
type ClusterView struct {
	Cluster     ClusterID      `json:"cluster"`
	Shards      ShardRange     `json:"shards"`
	State       ClusterState   `json:"state"`
	Since       time.Time      `json:"since"` // of State
	PID         int            `json:"pid,omitempty"`
	ShardsReady int            `json:"shards_ready"`
	ShardsOut   int            `json:"shards_out"`             // thrown out by Discord, or unable to reach it
	ShardsLate  int            `json:"shards_late,omitempty"`  // not READY for more than ten seconds
	ShardsStuck int            `json:"shards_stuck,omitempty"` // of these: reported as stuck (shard.stuck)
	Stuck       *StuckShard    `json:"stuck,omitempty"`        // the first of them
	Assumed     bool           `json:"assumed,omitempty"`      // ShardsReady is only assumed, by the time that passed (cluster.ready: after)
	Restarts    int            `json:"restarts"`
	States      string         `json:"states"`              // a letter a shard: ShardLetter
	LatencyMS   []Milliseconds `json:"latency_ms"`          // of the gateway; 0: not known
	Events      []float64      `json:"events_per_second"`   // from Discord, to a tenth; -1: not known
	Guilds      int            `json:"guilds"`              // in all, as far as they are known
	Sessions    int            `json:"sessions"`            // shards that could resume in another process
	UptimeMS    Milliseconds   `json:"uptime_ms,omitempty"` // of its process; this and the next two come from the kernel, where it tells
	CPUMS       Milliseconds   `json:"cpu_ms,omitempty"`    // processor time of its process
	Resident    int64          `json:"resident_bytes,omitempty"`
	Death       *Death         `json:"last_death,omitempty"`
	GaveUp      *ClusterGaveUp `json:"gave_up,omitempty"` // the last time; many lines, which only GET /api/v1/clusters/{cluster} has
}

// StuckShard is a shard that makes no progress.
type StuckShard struct {
	Shard  int        `json:"shard"`
	State  ShardState `json:"state"`
	Since  time.Time  `json:"since"` // when it was READY last, or its start
	Reason string     `json:"reason"`
}

// Death is the last unordered end of a cluster's process.
type Death struct {
	At    time.Time `json:"at"`
	Cause Cause     `json:"cause"`
	Err   string    `json:"err"`
	Exit  string    `json:"exit,omitempty"`
}

// shardLetters is how a shard's state is written in ClusterView.States.
var shardLetters = map[ShardState]byte{
	ShardIdle: '.', ShardWaitingPermit: 'w', ShardConnecting: 'c', ShardIdentifying: 'i', ShardResuming: 'r', ShardReady: 'R', ShardDisconnected: 'd', ShardFailed: 'f',
}

// ShardLetter is a state as one letter: w(aiting for a permit), c(onnecting), i(dentifying), r(esuming), R(eady), d(isconnected), f(ailed), or "." for idle and unknown.
func ShardLetter(s ShardState) byte {
	if letter, known := shardLetters[s]; known {
		return letter
	}
	return '.'
}

// ShardStateOf is the state that a letter stands for.
func ShardStateOf(letter byte) ShardState {
	for state, l := range shardLetters {
		if l == letter {
			return state
		}
	}
	return ShardIdle
}

// Ready reports whether the machine does what it is there for, and why not: the number of the bot's
// shards is known, every cluster that no operator stopped serves, and each of its shards is READY,
// or was less than ten seconds ago. A machine that was given no shards, a spare, is ready while it
// is linked to MASTER.
func (v View) Ready() (ready bool, why string) {
	c := v.Machine.Clusters
	late, stuck := 0, (*StuckShard)(nil)
	for _, one := range v.Clusters {
		late += one.ShardsLate
		if stuck == nil {
			stuck = one.Stuck
		}
	}
	short := fmt.Sprintf("%d of %d shards are READY", v.Machine.ShardsReady, v.Machine.Shards)
	switch {
	case v.Machine.Halted:
		return false, "halted: Discord refuses the token or its intents"
	case c.Failed > 0:
		return false, fmt.Sprintf("%d clusters have failed", c.Failed)
	case stuck != nil:
		return false, fmt.Sprintf("%s; shard %d is %s since %s: %s", short, stuck.Shard, stuck.State, Stamp(stuck.Since), stuck.Reason)
	case late > 0 && v.Machine.Outage:
		return false, short + ": Discord has an outage"
	case c.Starting > 0, late > 0:
		return false, short
	case c.Serving == 0 && !v.Machine.Master.Up:
		return false, "no link to MASTER, and nothing to serve"
	case v.Machine.ShardCount == 0:
		return false, "the number of shards is unknown: MASTER has not reached Discord"
	}
	return true, ""
}

// Counters are figures since the start of this CONTROL.
type Counters struct {
	Events     map[string]int        // by name
	Failures   map[Cause]int         // unordered ends of clusters
	Restarts   map[Cause]int         // those of them after which the cluster was started again
	Identifies map[IdentifyCause]int // that were sent
	AlertsLost map[AlertChannel]int  // that did not reach their receiver
	Waits      []int                 // identifies by how long they had waited for their permit: for each of WaitBounds those that waited at most so long, and more than the one before
	WaitCount  int
	WaitSum    time.Duration
}

// Clone is a copy that shares nothing.
func (c Counters) Clone() Counters {
	c.Events, c.Failures, c.Restarts = maps.Clone(c.Events), maps.Clone(c.Failures), maps.Clone(c.Restarts)
	c.Identifies, c.AlertsLost, c.Waits = maps.Clone(c.Identifies), maps.Clone(c.AlertsLost), slices.Clone(c.Waits)
	return c
}

// WaitBounds are the bounds of Counters.Waits, in seconds: Discord lets a shard identify every 5 s, and a cold start of a large bot takes an hour.
var WaitBounds = []float64{0.1, 1, 5, 15, 60, 300, 900, 3600}

// EventRecord is an event as the desk keeps it.
type EventRecord struct {
	ID      uint64 // rises, from one life of CONTROL to the next, too
	At      time.Time
	Machine string
	Event   Event
}

// MarshalJSON gives {"id":1767323045678,"event":"cluster.gave_up","at":"2026-01-02T03:04:05.678Z","machine":"blade-7","level":"error", and the event's own fields}.
func (t EventRecord) MarshalJSON() ([]byte, error) {
	name, level := t.Event.Event()
	return JoinJSON(struct {
		ID      uint64 `json:"id"`
		Event   string `json:"event"`
		At      string `json:"at"`
		Machine string `json:"machine"`
		Level   string `json:"level"`
	}{t.ID, name, Stamp(t.At), t.Machine, level.String()}, t.Event)
}

// Stamp is a moment as people and programs read it.
func Stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// JoinJSON is the fields of head and then those of e, in one JSON object. It fails where one of them is none.
func JoinJSON(head any, e Event) ([]byte, error) {
	line, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	fields, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	if line[0] != '{' || fields[0] != '{' {
		name, _ := e.Event()
		return nil, fmt.Errorf("event %s is no JSON object", name)
	}
	switch {
	case len(fields) == 2:
		return line, nil
	case len(line) == 2:
		return fields, nil
	}
	return append(append(line[:len(line)-1], ','), fields[1:]...), nil
}

// String is the level as the log has it.
func (l Level) String() string {
	switch l {
	case LevelDebug:
		return "debug"
	case LevelInfo:
		return "info"
	case LevelWarn:
		return "warn"
	default:
		return "error"
	}
}

// ParseLevel is the level of a name.
func ParseLevel(name string) (Level, error) {
	for l := LevelDebug; l <= LevelError; l++ {
		if l.String() == name {
			return l, nil
		}
	}
	return 0, fmt.Errorf("level %.20q: want debug, info, warn or error", name)
}

// IgnoreDeadLetterLogging marks what may come after CONTROL, or the cluster that is asked, has ended.
func (GetSnapshot) IgnoreDeadLetterLogging()      {}
func (FleetSnapshot) IgnoreDeadLetterLogging()    {}
func (ClusterSnapshot) IgnoreDeadLetterLogging()  {}
func (ShardsSnapshot) IgnoreDeadLetterLogging()   {}
func (SessionsSnapshot) IgnoreDeadLetterLogging() {}
func (GetView) IgnoreDeadLetterLogging()          {}
func (Follow) IgnoreDeadLetterLogging()           {}
func (Order) IgnoreDeadLetterLogging()            {}
