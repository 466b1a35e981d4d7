package messages

import "encoding/json"

// MasterOp is the opcode of a packet of the MASTER link, its "o" key. 0–8 are upstream's
// (discluster/master src/constants.ts), 9–11 ours (PROTOCOL B1).
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
)

// FromMaster is any packet MASTER may send. The set is closed.
type FromMaster interface{ fromMaster() }

// FromControl is any packet CONTROL may send. The set is closed.
type FromControl interface{ fromControl() }

// Features a peer may announce (PROTOCOL B1, B2). Nothing is used that was not announced.
const (
	FeatureInfo      = "info"
	FeatureHeartbeat = "heartbeat"
	FeaturePermits   = "permits"
	FeatureSessions  = "sessions"
	FeatureOrders    = "orders"
	FeatureConfirm   = "confirm" // MASTER says, by a connect, what of the ranges in a first info is still to be served; what of them does not run waits for that
	FeatureShards    = "shards"
	FeatureDrain     = "drain"
)

// Initialise (op 5, MASTER → CONTROL) is the first packet of a link; nothing is spawned before it.
// Source: discluster/master src/control.ts sendInitialise; the optional fields: PROTOCOL B1. A nil
// pointer means the peer did not say.
type Initialise struct {
	Token             Secret        `json:"token"`
	HeartbeatInterval *Milliseconds `json:"heartbeat_interval"`
	ShardCount        *int          `json:"shard_count,omitempty"`        // of the whole fleet, ≥ 1; upstream as shipped leaves it out
	Features          []string      `json:"features,omitempty"`           // none: upstream MASTER
	MaxConcurrency    *int          `json:"max_concurrency,omitempty"`    // identifies per 5 s, ≥ 1
	ShardsPerCluster  *int          `json:"shards_per_cluster,omitempty"` // ≥ 1
	Machine           *Place        `json:"machine,omitempty"`            // nil: as it was told before, at first alone
	Epoch             int64         `json:"epoch,omitempty"`
	LeaseMS           *Milliseconds `json:"lease_ms,omitempty"`
	Drained           *bool         `json:"drained,omitempty"` // for the machine to remember: an operator wants it to be given nothing; nil: as it was told before
	Now               *UnixMillis   `json:"now,omitempty"`     // MASTER's clock
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
	ID       string       `json:"id,omitempty"`
	Range    ShardRange   `json:"shardRange"`
	Reason   string       `json:"reason,omitempty"`
	WithinMS Milliseconds `json:"within_ms,omitempty"` // what handlers may still take; 0: what a drain gives them. Set where another machine serves the range already
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
	Token string `json:"token"`           // Secret.Fingerprint
	Epoch int64  `json:"epoch,omitempty"` // in which it was: tells one that an operator has lifted from one that came after
}

// Lifts reports whether the end of halt h ends another one, too.
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

// What a Command may be.
const (
	CommandRestartCluster = "restart_cluster" // RestartClusterArgs; done when it serves again
	CommandRollingRestart = "rolling_restart" // of every cluster of the machine, one at a time; done when the last one serves again
	CommandResumeFleet    = "resume_fleet"    // a Halt: it is lifted
	CommandStatus         = "status"          // the result is a Heartbeat
)

// RestartClusterArgs is the args of restart_cluster.
type RestartClusterArgs struct {
	Cluster ClusterID `json:"cluster"`
	Fresh   bool      `json:"fresh,omitempty"` // it identifies; else it resumes
}

// MasterError (op 7, both ways) tells of something that did not work. Upstream: code and message;
// the rest: PROTOCOL B1.
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
	Share   *Share      `json:"share,omitempty"` // nil: as it was told before; only to who said its own in Heartbeat
}

// Share is what one machine may identify of the day's budget while MASTER is away. Without one a
// machine knows no limit.
type Share struct {
	ID        int64 `json:"id"`        // tells one share from another; 0: there is none
	Total     int   `json:"total"`     // as it was given
	Remaining int   `json:"remaining"` // of it
	Reserve   int   `json:"reserve"`   // of what remains, what is kept from that which crashed
}

// PermitAnswer (op 10, MASTER → CONTROL) grants or puts off one identify (PROTOCOL B1).
type PermitAnswer struct {
	ID           string       `json:"id"`
	Granted      bool         `json:"granted"`
	UseWithinMS  Milliseconds `json:"use_within_ms,omitempty"`  // when granted
	Now          *UnixMillis  `json:"now,omitempty"`            // MASTER's clock when it granted: a grant that lay in a queue is older than it looks
	InMS         Milliseconds `json:"in_ms,omitempty"`          // not to be used sooner than so long after Now; only to who said Now in its request
	NotBefore    *UnixMillis  `json:"not_before,omitempty"`     // the same by the clock of CONTROL, more closely, where the bucket's last identify was its own
	RetryAfterMS Milliseconds `json:"retry_after_ms,omitempty"` // when not
	Reason       string       `json:"reason,omitempty"`         // when not: "budget", "halted"
}

// Info (op 0, CONTROL → MASTER) says what this machine is and serves; sent after every Initialise
// and at every change of a range (PROTOCOL B1).
type Info struct {
	Hostname         string             `json:"hostname"`
	Version          string             `json:"version"`
	CPUs             int                `json:"cpus"`
	MemoryBytes      int64              `json:"memory_bytes"`
	Load1            float64            `json:"load1"`
	Weight           float64            `json:"weight,omitempty"` // what it is to carry, against other machines, by its operator's word; 0: by CPUs and memory
	Epoch            int64              `json:"epoch"`
	Machine          Place              `json:"machine"`
	ShardCount       int                `json:"shard_count,omitempty"`
	MaxConcurrency   int                `json:"max_concurrency,omitempty"`
	ShardsPerCluster int                `json:"shards_per_cluster,omitempty"`
	Halted           *Halt              `json:"halted,omitempty"`
	Resumed          *Halt              `json:"resumed,omitempty"` // the last halt that an operator lifted
	Drained          bool               `json:"drained,omitempty"` // as it was told last
	Ranges           []RangeInfo        `json:"ranges"`
	LastIdentify     map[int]UnixMillis `json:"last_identify,omitempty"` // by bucket: when it was, or may yet be, used last, by CONTROL's clock
	Now              *UnixMillis        `json:"now,omitempty"`           // CONTROL's clock, for MASTER to know by its own when that was
	Features         []string           `json:"features"`
}

// RangeInfo is one range of an Info.
type RangeInfo struct {
	Range ShardRange `json:"range"`
	State RangeState `json:"state"`
	Epoch int64      `json:"epoch"` // of the MASTER that granted it
}

// RangeState is how far a range is.
type RangeState string

const (
	RangeConnecting  RangeState = "connecting"  // some shard is not READY yet
	RangeOperational RangeState = "operational" // every shard is READY
	RangeDraining    RangeState = "draining"
	RangeStopped     RangeState = "stopped"
	RangeFailed      RangeState = "failed"   // some cluster gave up or died of a fatal code
	RangeReleased    RangeState = "released" // said in acks alone: an offload is done
)

// Fatal (op 1, CONTROL → MASTER): a close code that no restart cures (4004, 4010–4014). Our fields:
// PROTOCOL B1.
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
	Share       *Share        `json:"share,omitempty"` // what is left of the share that CONTROL has; nil: it takes none
}

// ClusterCounts counts this machine's clusters by what they are doing.
type ClusterCounts struct {
	Serving  int `json:"serving"`
	Starting int `json:"starting"`
	Failed   int `json:"failed"`
}

// PermitRequest (op 10, CONTROL → MASTER) asks for one identify (PROTOCOL B1).
type PermitRequest struct {
	ID         string        `json:"id"`
	Shard      int           `json:"shard"`
	Cause      IdentifyCause `json:"cause"`
	WaitedMS   Milliseconds  `json:"waited_ms"`
	HoldMS     Milliseconds  `json:"hold_ms,omitempty"`    // the bucket is kept for so long, or until the report; asked again while it is kept, it is kept for so long from then
	Identifies int           `json:"identifies,omitempty"` // with hold_ms: how many there will be behind it; absent: one
	Kept       bool          `json:"kept,omitempty"`       // with hold_ms: the bucket is kept already, for MASTER to know that is started anew meanwhile
	Now        *UnixMillis   `json:"now,omitempty"`        // CONTROL's clock; with it MASTER may grant before it is time, by InMS
}

// PermitReport (op 10, CONTROL → MASTER) says what became of a granted permit (PROTOCOL B1).
type PermitReport struct {
	ID         string      `json:"id"`
	Sent       bool        `json:"sent"`                 // false: not used, the bucket is free
	Identifies int         `json:"identifies,omitempty"` // behind a bucket that was kept: how many there were, as far as can be known; absent: one
	Now        *UnixMillis `json:"now,omitempty"`        // CONTROL's clock
}

// IdentifyCause is why a shard wants to identify; it decides who goes first (DESIGN §5).
type IdentifyCause string

const (
	CauseStart      IdentifyCause = "start"
	CauseCrash      IdentifyCause = "crash"
	CauseReidentify IdentifyCause = "reidentify" // the same process, its session refused
	CauseOperator   IdentifyCause = "operator"
)

// SessionsMoved (op 11, CONTROL → MASTER) keeps MASTER's copy of the sessions fresh (PROTOCOL B1).
type SessionsMoved struct {
	Sessions []Session `json:"sessions,omitempty"`
	Gone     []int     `json:"gone,omitempty"` // shards whose session is invalid
}

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
