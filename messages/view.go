package messages

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// This file holds what an operator sees and orders: snapshots of a machine (View), its events
// (EventRecord), orders to it (Directive). Its JSON is the admin API's.

// GetSnapshot (behaviour → clusters, sessions) asks for the current state of everything, since
// events report only changes. Clusters answer with a FleetSnapshot, a ClusterSnapshot for each
// cluster, and a ShardsSnapshot from each that has an identified process; sessions with a
// SessionsSnapshot.
type GetSnapshot struct{ MayBeLost }

// FleetSnapshot (clusters → requester) answers GetSnapshot: what the fleet has in common, as far as
// it is known.
type FleetSnapshot struct {
	MayBeLost
	ShardCount, MaxConcurrency, ShardsPerCluster int
	Halted                                       bool
}

// ClusterSnapshot (clusters → requester) answers GetSnapshot with the last ClusterMoved.
type ClusterSnapshot struct {
	MayBeLost
	Moved ClusterMoved
}

// ShardsSnapshot (cluster → requester) answers GetSnapshot.
type ShardsSnapshot struct {
	MayBeLost
	Cluster ClusterID
	Range   ShardRange
	Shards  []ShardSnapshot // in the order of Range
}

// ShardSnapshot is one shard of a ShardsSnapshot.
type ShardSnapshot struct {
	State           ShardState
	LatencyMS       Milliseconds // of the gateway; 0: unknown
	Guilds          int          // -1: unknown
	EventsPerSecond float64      // from Discord, to a tenth; -1: unknown
	Unready         time.Time    // since when it is not READY; zero: it is, or its state is unknown
	Stuck           string       // why it is reported as stuck (ShardStuck); "": it is not
	Waiting         int          // events that the bot has not acknowledged; -1: unknown
	WaitingMS       Milliseconds // age of the oldest of them
	Host            HostMemory   // of the bot's gateway host
	Lagging, Deaf   bool         // reported (ShardLagging, ShardDeaf)
}

// SessionsSnapshot (sessions → requester) answers GetSnapshot: what could be resumed, without the
// secrets to do so.
type SessionsSnapshot struct {
	MayBeLost
	Sessions []SessionView // by shard, in the order of the clusters
}

// SessionView is one shard's session.
type SessionView struct {
	Shard   int       `json:"shard"`
	Cluster ClusterID `json:"cluster"`
	Seq     int64     `json:"seq"` // of the last event that the bot has handled
	At      time.Time `json:"at"`  // when seq was last known true
	// since when no process has it: Discord forgets it soon after
	Orphaned *time.Time `json:"orphaned,omitempty"`
}

// GetView (anybody → status) asks for the View. Answer is called once, and must not block.
type GetView struct {
	MayBeLost
	Answer func(View)
}

// Follow (anybody → status) asks for the events after a known one and for all later ones, from a
// level on. Deliver is called at once with the kept ones, perhaps none, then for each event, and
// from time to time with none. It must not block; the first false is the last call.
type Follow struct {
	MayBeLost
	After   uint64 // 0: only later ones
	Least   Level
	Deliver func(EventBatch) bool
}

// EventBatch is the argument of Follow.Deliver.
type EventBatch struct {
	Events []EventRecord
	Last   uint64 // the last event that was considered
	Gap    bool   // not all events after Follow.After are kept
}

// Order (anybody → status) gives a Directive. Answer is called once, and must not block.
type Order struct {
	MayBeLost
	Directive Directive
	By        string // requester, for the log
	Answer    func(Verdict)
}

// Directive is an order of an operator to a machine: RestartCluster, DrainCluster, StopCluster,
// RollingRestart, AcceptMaster. The set is closed.
type Directive interface {
	// Order returns the directive in words, and its cluster; nil: all.
	Order() (name string, cluster *ClusterID)
}

// Names of the directives, and of MASTER's orders.
const (
	OrderConnect  = "connect"
	OrderOffload  = "offload"
	OrderShutdown = "shutdown"

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

// Verdict is the answer to an Order: passed on, or refused.
type Verdict struct {
	Refusal Refusal
	Reason  string // of a refusal
	After   uint64 // the last event before the order: later ones report its progress
	Done    bool   // it was carried out already: nothing follows
}

// Refusal is the reason why an order was not passed on; "" when it was.
type Refusal string

const (
	RefusedUnknown Refusal = "unknown" // no such cluster, or machine, here
	RefusedNow     Refusal = "not_now" // in the current state
)

// View is a snapshot of one machine.
type View struct {
	LastEvent uint64        `json:"last_event"` // the view includes it, and nothing later
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
	ShardCount       int          `json:"shard_count"` // of the whole bot; 0: unknown
	MaxConcurrency   int          `json:"max_concurrency"`
	ShardsPerCluster int          `json:"shards_per_cluster"`
	Shards           int          `json:"shards"` // of this machine
	ShardsReady      int          `json:"shards_ready"`
	Clusters         ClusterCount `json:"clusters"`
	// Discord refuses the token or its intents: nothing identifies
	Halted  bool         `json:"halted"`
	Outage  bool         `json:"outage"` // of Discord
	Rolling *RollingView `json:"rolling_restart,omitempty"`
}

// ClusterCount counts a machine's clusters by state.
type ClusterCount struct {
	Serving  int `json:"serving"`
	Starting int `json:"starting"` // on the way up, to be restarted, or on the way down
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

// ClusterView is one cluster. States and latencies are in the order of its shards, which keeps the
// answer small for ten thousand shards.
type ClusterView struct {
	Cluster     ClusterID    `json:"cluster"`
	Shards      ShardRange   `json:"shards"`
	State       ClusterState `json:"state"`
	Since       time.Time    `json:"since"` // of State
	PID         int          `json:"pid,omitempty"`
	ShardsReady int          `json:"shards_ready"`
	// disconnected by Discord, or unable to reach it
	ShardsOut int `json:"shards_out"`
	// not READY for more than ten seconds
	ShardsLate int `json:"shards_late,omitempty"`
	// of these: reported as stuck (shard.stuck)
	ShardsStuck int         `json:"shards_stuck,omitempty"`
	Stuck       *StuckShard `json:"stuck,omitempty"` // the first of them
	// ShardsReady is assumed, by the time that passed (cluster.ready: after)
	Assumed bool `json:"assumed,omitempty"`
	// what a bot of protocol env that is connecting is waited for, by cluster.ready
	WaitsFor  string         `json:"waits_for,omitempty"`
	Restarts  int            `json:"restarts"`
	States    string         `json:"states"`                      // a letter a shard: ShardLetter
	LatencyMS []Milliseconds `json:"latency_ms,omitempty"`        // of the gateway; 0: unknown
	Events    []float64      `json:"events_per_second,omitempty"` // from Discord, to a tenth; -1: unknown
	// events that the bot has not acknowledged, and the age of the oldest; -1: unknown. Absent for a
	// bot that is not behind a gateway host
	Waiting   []int          `json:"events_waiting,omitempty"`
	WaitingMS []Milliseconds `json:"events_waiting_ms,omitempty"`
	Host      *HostMemory    `json:"host_memory,omitempty"`
	Lagging   []int          `json:"lagging,omitempty"` // shards that were reported so (shard.lagging)
	Deaf      []int          `json:"deaf,omitempty"`    // the same (shard.deaf)
	Guilds    int            `json:"guilds"`            // sum over the shards that report it
	// shards that could resume in another process
	Sessions int `json:"sessions"`
	// of its process; this and the next two come from the kernel, where it has
	// them, at one moment: in a list of many processes a while ago
	UptimeMS Milliseconds `json:"uptime_ms,omitempty"`
	CPUMS    Milliseconds `json:"cpu_ms,omitempty"` // processor time of its process
	Resident int64        `json:"resident_bytes,omitempty"`
	Death    *Death       `json:"last_death,omitempty"`
	// the last time; many lines, only in GET /api/v1/clusters/{cluster}
	GaveUp *ClusterGaveUp `json:"gave_up,omitempty"`
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

// shardLetters are the letters of ClusterView.States.
var shardLetters = map[ShardState]byte{
	ShardIdle: '.', ShardWaitingPermit: 'w', ShardConnecting: 'c', ShardIdentifying: 'i', ShardResuming: 'r', ShardReady: 'R', ShardDisconnected: 'd', ShardFailed: 'f',
}

// ShardLetter returns a state as one letter: w(aiting for a permit), c(onnecting), i(dentifying),
// r(esuming), R(eady), d(isconnected), f(ailed), or "." for idle and unknown.
func ShardLetter(s ShardState) byte {
	if letter, known := shardLetters[s]; known {
		return letter
	}
	return '.'
}

// ShardStateOf returns the state of a letter.
func ShardStateOf(letter byte) ShardState {
	for state, l := range shardLetters {
		if l == letter {
			return state
		}
	}
	return ShardIdle
}

// Ready reports whether the machine serves all it should, and if not, why. It is ready when the
// number of the bot's shards is known, every cluster that no operator stopped serves, and each of
// its shards is READY, or was less than ten seconds ago. A machine without shards, a spare, is
// ready while it is linked to MASTER.
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
	Restarts   map[Cause]int         // those after which the cluster was started again
	Identifies map[IdentifyCause]int // sent
	AlertsLost map[AlertChannel]int  // not delivered
	// identifies by how long they had waited for their permit: for each of WaitBounds those that
	// waited at most that long, and longer than the previous bound
	Waits     []int
	WaitCount int
	WaitSum   time.Duration
}

// Clone returns a copy that shares nothing.
func (c Counters) Clone() Counters {
	c.Events, c.Failures, c.Restarts = maps.Clone(c.Events), maps.Clone(c.Failures), maps.Clone(c.Restarts)
	c.Identifies, c.AlertsLost, c.Waits = maps.Clone(c.Identifies), maps.Clone(c.AlertsLost), slices.Clone(c.Waits)
	return c
}

// WaitBounds are the bounds of Counters.Waits, in seconds: Discord lets a shard identify every 5 s,
// and a cold start of a large bot takes an hour.
var WaitBounds = []float64{0.1, 1, 5, 15, 60, 300, 900, 3600}
