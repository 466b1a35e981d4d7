package messages

import (
	"encoding/json"
	"time"
)

// Clocks of the MASTER link (PROTOCOL B1).
const (
	// DeadAfter is the time beyond its heartbeat interval for which a CONTROL may be silent.
	DeadAfter = 15 * time.Second
	// LeaseMargin is the time the end of a lease may take: a second for the bots' handlers, and the
	// death of a process that does not obey.
	LeaseMargin = 5 * time.Second
)

// MasterOp is the opcode of a packet of the MASTER link, its "o" key. 0–8 are upstream's
// (discluster/master src/constants.ts), 9–12 ours (PROTOCOL B1).
type MasterOp int

const (
	OpInfo        MasterOp = 0  // CONTROL → MASTER
	OpFatal       MasterOp = 1  // CONTROL → MASTER
	OpCommand     MasterOp = 2  // MASTER → CONTROL
	OpOffload     MasterOp = 3  // MASTER → CONTROL
	OpShutdown    MasterOp = 4  // MASTER → CONTROL
	OpInitialise  MasterOp = 5  // MASTER → CONTROL
	OpConnect     MasterOp = 6  // MASTER → CONTROL
	OpMasterError MasterOp = 7  // both
	OpAck         MasterOp = 8  // both
	OpBeat        MasterOp = 9  // CONTROL → MASTER
	OpPermit      MasterOp = 10 // both
	OpSessions    MasterOp = 11 // CONTROL → MASTER
	OpSnapshot    MasterOp = 12 // both
)

// FromMaster is any packet MASTER may send. The set is closed.
type FromMaster interface{ fromMaster() }

// FromControl is any packet CONTROL may send. The set is closed.
type FromControl interface{ fromControl() }

// Features a peer may announce (PROTOCOL B1, B2). A feature that was not announced is not used.
const (
	FeatureInfo      = "info"
	FeatureHeartbeat = "heartbeat"
	FeaturePermits   = "permits"
	FeatureSessions  = "sessions"
	FeatureOrders    = "orders"
	// MASTER confirms, by a connect, each range of a first info that stays; clusters of these
	// ranges that do not run wait for that
	FeatureConfirm = "confirm"
	// snapshots of gateway hosts go with a shard to its next machine
	FeatureSnapshots = "snapshots"
	FeatureShards    = "shards"
	FeatureDrain     = "drain"
	FeatureChild     = "child"   // CONTROL takes ChildDied and ChildSilent
	FeatureTrouble   = "trouble" // CONTROL takes ChildTrouble
	FeatureRoll      = "roll"    // CONTROL takes Roll
)

// Initialise (op 5, MASTER → CONTROL) is the first packet of a link; nothing is spawned before it.
// Source: discluster/master src/control.ts sendInitialise; the optional fields: PROTOCOL B1. A nil
// pointer means that the field was absent.
type Initialise struct {
	Token             Secret        `json:"token"`
	HeartbeatInterval *Milliseconds `json:"heartbeat_interval"`
	// of the whole fleet, ≥ 1; upstream as shipped leaves it out
	ShardCount       *int     `json:"shard_count,omitempty"`
	Features         []string `json:"features,omitempty"`           // none: upstream MASTER
	MaxConcurrency   *int     `json:"max_concurrency,omitempty"`    // identifies per 5 s, ≥ 1
	ShardsPerCluster *int     `json:"shards_per_cluster,omitempty"` // ≥ 1
	// nil: unchanged, initially 1 of 1
	Machine *Place        `json:"machine,omitempty"`
	Epoch   int64         `json:"epoch,omitempty"`
	LeaseMS *Milliseconds `json:"lease_ms,omitempty"`
	// for the machine to remember: an operator wants it to get nothing; nil: unchanged
	Drained *bool       `json:"drained,omitempty"`
	Now     *UnixMillis `json:"now,omitempty"` // MASTER's clock
}

// Connect (op 6, MASTER → CONTROL) grants a range, or makes this machine a spare. Upstream:
// shardRange and redundant; id and sessions: PROTOCOL B1.
type Connect struct {
	Range     *ShardRange `json:"shardRange"` // nil when redundant
	Redundant bool        `json:"redundant"`  // hold the link, run nothing
	ID        string      `json:"id,omitempty"`
	Sessions  []Session   `json:"sessions,omitempty"`
}

// Offload (op 3, MASTER → CONTROL): stop serving the range, keep its sessions (PROTOCOL B1).
type Offload struct {
	ID     string     `json:"id,omitempty"`
	Range  ShardRange `json:"shardRange"`
	Reason string     `json:"reason,omitempty"`
	// time left for handlers; 0: that of a drain. Set where another machine serves the range
	// already
	WithinMS Milliseconds `json:"within_ms,omitempty"`
}

// Shutdown (op 4, MASTER → CONTROL): stop every cluster; the link stays (PROTOCOL B1).
type Shutdown struct {
	ID     string `json:"id,omitempty"`
	Reason string `json:"reason,omitempty"`
	Halt   *Halt  `json:"halt,omitempty"`
}

// Halt forbids any identify with one token, for the reason of a fatal close code.
type Halt struct {
	Code  int    `json:"code"`
	Token string `json:"token"` // Secret.Fingerprint
	// in which it was: separates a halt that an operator has lifted from a later one
	Epoch int64 `json:"epoch,omitempty"`
}

// Lifts reports whether the end of halt h also ends another halt.
func (h *Halt) Lifts(other Halt) bool {
	return h != nil && h.Token == other.Token && h.Epoch >= other.Epoch
}

// Command (op 2, MASTER → CONTROL) is an operator's order passed down the link (PROTOCOL B1).
// Answered by Ack with the same id: any number with Progress, then one with OK.
type Command struct {
	ID   string          `json:"id"`
	Name string          `json:"name"`
	Args json.RawMessage `json:"args,omitempty"`
}

// Names of a Command.
const (
	CommandRestartCluster = "restart_cluster" // RestartClusterArgs; done when it serves again
	// of every cluster of the machine, one at a time; done when the last one serves again
	CommandRollingRestart = "rolling_restart"
	CommandResumeFleet    = "resume_fleet" // its args are a Halt, which is lifted
	CommandStatus         = "status"       // the result is a Heartbeat
)

// RestartClusterArgs is the args of restart_cluster.
type RestartClusterArgs struct {
	Cluster ClusterID `json:"cluster"`
	Fresh   bool      `json:"fresh,omitempty"` // it identifies; else it resumes
}

// MasterError (op 7, both ways) reports a failure. Upstream: code and message; the rest: PROTOCOL
// B1.
type MasterError struct {
	Code    int         `json:"code"` // a close code, or 0
	Message string      `json:"message"`
	Kind    string      `json:"kind,omitempty"` // an event's name, "cluster.gave_up"
	Cluster *ClusterID  `json:"cluster,omitempty"`
	Shards  *ShardRange `json:"shards,omitempty"`
}

// HeartbeatAck (op 8 with d.op 9, MASTER → CONTROL) answers one Heartbeat.
type HeartbeatAck struct {
	Seq     int64       `json:"seq"`
	Now     *UnixMillis `json:"now,omitempty"`
	Machine *Place      `json:"machine,omitempty"`
	// nil: unchanged; sent only to a CONTROL that sent its own in Heartbeat
	Share *BudgetShare `json:"share,omitempty"`
}

// BudgetShare is the part of the day's budget that one machine may identify while MASTER is away.
// Without one a machine has no limit.
type BudgetShare struct {
	ID        int64 `json:"id"`        // identifies the share; 0: there is none
	Total     int   `json:"total"`     // as assigned
	Remaining int   `json:"remaining"` // of it
	Reserve   int   `json:"reserve"`   // of Remaining, kept from crashed shards
	// the most that all other machines have of that day
	Others int `json:"others,omitempty"`
}

// PermitAnswer (op 10, MASTER → CONTROL) grants or postpones one identify (PROTOCOL B1).
type PermitAnswer struct {
	ID          string       `json:"id"`
	Granted     bool         `json:"granted"`
	UseWithinMS Milliseconds `json:"use_within_ms,omitempty"` // when granted
	// MASTER's clock when it granted: shows how long a grant lay in a queue
	Now *UnixMillis `json:"now,omitempty"`
	// earliest use, counted from Now; sent only to a CONTROL that sent Now in its request
	InMS Milliseconds `json:"in_ms,omitempty"`
	// the same by CONTROL's clock, more exact, where the bucket's last identify was its own
	NotBefore *UnixMillis `json:"not_before,omitempty"`
	// granted by a MASTER that does not know the day's budget: CONTROL pays from its share
	FromShare    bool         `json:"from_share,omitempty"`
	RetryAfterMS Milliseconds `json:"retry_after_ms,omitempty"` // when not
	Reason       string       `json:"reason,omitempty"`         // when not: "budget", "halted"
}

// Info (op 0, CONTROL → MASTER) describes this machine and what it serves; sent after every
// Initialise and at every change of a range (PROTOCOL B1).
type Info struct {
	Hostname    string `json:"hostname"`
	Version     string `json:"version"`
	CPUs        int    `json:"cpus"`
	MemoryBytes int64  `json:"memory_bytes"`
	// 0: CONTROL does not measure its load, and MASTER does not read it
	Load1 float64 `json:"load1"`
	// how much to carry against other machines, set by its operator; 0: by CPUs and memory
	Weight           float64 `json:"weight,omitempty"`
	Epoch            int64   `json:"epoch"`
	Machine          Place   `json:"machine"`
	ShardCount       int     `json:"shard_count,omitempty"`
	MaxConcurrency   int     `json:"max_concurrency,omitempty"`
	ShardsPerCluster int     `json:"shards_per_cluster,omitempty"`
	Halted           *Halt   `json:"halted,omitempty"`
	// the last halt that an operator lifted
	Resumed *Halt       `json:"resumed,omitempty"`
	Drained bool        `json:"drained,omitempty"` // as MASTER set it last
	Ranges  []RangeInfo `json:"ranges"`
	// by bucket: when it was, or may still be, used last, by CONTROL's clock
	LastIdentify map[int]UnixMillis `json:"last_identify,omitempty"`
	// CONTROL's clock, so that MASTER can convert LastIdentify to its own
	Now      *UnixMillis `json:"now,omitempty"`
	Features []string    `json:"features"`
}

// RangeInfo is one range of an Info.
type RangeInfo struct {
	Range ShardRange `json:"range"`
	State RangeState `json:"state"`
	Epoch int64      `json:"epoch"` // of the MASTER that granted it
}

// RangeState is the progress of a range.
type RangeState string

const (
	RangeConnecting  RangeState = "connecting"  // some shard is not READY
	RangeOperational RangeState = "operational" // every shard is READY
	RangeDraining    RangeState = "draining"
	RangeStopped     RangeState = "stopped"
	RangeFailed      RangeState = "failed"   // some cluster gave up or died of a fatal code
	RangeReleased    RangeState = "released" // in acks alone: an offload is done
)

// Fatal (op 1, CONTROL → MASTER) reports a close code that no restart cures (4004, 4010–4014). Our
// fields: PROTOCOL B1.
type Fatal struct {
	Code    int        `json:"code"` // 4004 also for a token that REST refused
	Message string     `json:"message"`
	Cluster ClusterID  `json:"cluster"`
	Shards  ShardRange `json:"shards"`
	Reason  string     `json:"reason,omitempty"`
}

// Ack (op 8, CONTROL → MASTER) answers an order: a connect, offload or shutdown by State, a command
// by OK (PROTOCOL B1).
type Ack struct {
	ID       string          `json:"id,omitempty"`
	Op       *MasterOp       `json:"op,omitempty"`
	State    string          `json:"state,omitempty"` // a RangeState, or "standby"
	Range    *ShardRange     `json:"shardRange,omitempty"`
	Sessions []Session       `json:"sessions,omitempty"`
	OK       *bool           `json:"ok,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
	Error    string          `json:"error,omitempty"`
	Progress string          `json:"progress,omitempty"`
}

// Heartbeat (op 9, CONTROL → MASTER), every heartbeat_interval ± 5 % (PROTOCOL B1).
type Heartbeat struct {
	Seq         int64         `json:"seq"`
	Ranges      []RangeInfo   `json:"ranges"`
	Clusters    ClusterCounts `json:"clusters"`
	ShardsReady int           `json:"shards_ready"`
	// the rest of CONTROL's share; nil: CONTROL takes none
	Share *BudgetShare `json:"share,omitempty"`
}

// ClusterCounts counts this machine's clusters by state.
type ClusterCounts struct {
	Serving  int `json:"serving"`
	Starting int `json:"starting"`
	Failed   int `json:"failed"`
}

// PermitRequest (op 10, CONTROL → MASTER) asks for one identify (PROTOCOL B1).
type PermitRequest struct {
	ID       string        `json:"id"`
	Shard    int           `json:"shard"`
	Cause    IdentifyCause `json:"cause"`
	WaitedMS Milliseconds  `json:"waited_ms"`
	// keeps the bucket for this long, or until the report; asked again, the time starts again
	HoldMS Milliseconds `json:"hold_ms,omitempty"`
	// with hold_ms: how many identifies will follow; absent: one
	Identifies int `json:"identifies,omitempty"`
	// with hold_ms: the bucket is kept already; a restarted MASTER learns it by this
	Kept bool `json:"kept,omitempty"`
	// CONTROL's clock; with it MASTER may grant ahead of time, by InMS
	Now *UnixMillis `json:"now,omitempty"`
}

// PermitReport (op 10, CONTROL → MASTER) reports whether a granted permit was used (PROTOCOL B1).
type PermitReport struct {
	ID   string `json:"id"`
	Sent bool   `json:"sent"` // false: not used, the bucket is free
	// behind a bucket that was kept: how many there were, as far as known; absent: one
	Identifies int         `json:"identifies,omitempty"`
	Arrived    bool        `json:"arrived,omitempty"` // a second report: Discord has answered the identify
	Now        *UnixMillis `json:"now,omitempty"`     // CONTROL's clock
}

// IdentifyCause is the reason of an identify; it decides the order of requests (DESIGN §5).
type IdentifyCause string

const (
	CauseStart      IdentifyCause = "start"
	CauseCrash      IdentifyCause = "crash"
	CauseReidentify IdentifyCause = "reidentify" // the same process, its session refused
	CauseOperator   IdentifyCause = "operator"
)

// SessionsMoved (op 11, CONTROL → MASTER) keeps MASTER's copy of the sessions current (PROTOCOL
// B1).
type SessionsMoved struct {
	Sessions []Session `json:"sessions,omitempty"`
	Gone     []int     `json:"gone,omitempty"` // shards whose session is invalid
}

// SnapshotAsk (op 12, both ways) asks for a part of the snapshot that a gateway host keeps of a
// session. The next machine of the shard asks MASTER, MASTER the machine that had it (PROTOCOL B1).
type SnapshotAsk struct {
	ID        string `json:"id"`
	Shard     int    `json:"shard"`
	SessionID string `json:"session_id"`
	Offset    int64  `json:"offset"` // in bytes; 0: the first part
}

// SnapshotPart (op 12, both ways) answers SnapshotAsk (PROTOCOL B1).
type SnapshotPart struct {
	ID   string `json:"id"`
	Data []byte `json:"data,omitempty"`
	Next int64  `json:"next,omitempty"` // offset of the next part; 0: this is the last one
	// why there is no such part
	Error string `json:"error,omitempty"`
}

func (SnapshotAsk) fromMaster()   {}
func (SnapshotPart) fromMaster()  {}
func (SnapshotAsk) fromControl()  {}
func (SnapshotPart) fromControl() {}

func (Initialise) fromMaster()   {}
func (Connect) fromMaster()      {}
func (Offload) fromMaster()      {}
func (Shutdown) fromMaster()     {}
func (Command) fromMaster()      {}
func (MasterError) fromMaster()  {}
func (HeartbeatAck) fromMaster() {}
func (PermitAnswer) fromMaster() {}

func (Info) fromControl()          {}
func (Fatal) fromControl()         {}
func (MasterError) fromControl()   {}
func (Ack) fromControl()           {}
func (Heartbeat) fromControl()     {}
func (PermitRequest) fromControl() {}
func (PermitReport) fromControl()  {}
func (SessionsMoved) fromControl() {}

// Close codes of the MASTER link (PROTOCOL A6, B1).
const (
	CloseUnauthorised     = 4001
	CloseMalformedRequest = 4002
	CloseAlreadyConnected = 4003
	CloseDead             = 4005
	CloseSuperseded       = 4006
	CloseStaleEpoch       = 4007
)

// CodeMalformed is the code of upstream's answer to a packet it cannot read; never a close code
// (PROTOCOL A6).
const CodeMalformed = 4004
