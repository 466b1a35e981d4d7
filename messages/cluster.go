package messages

import (
	"encoding/json"
	"regexp"
	"time"
)

// IPCOp is the opcode of a packet between CONTROL and a cluster process: Discordoo's numbering
// since v0.11, and our 7 (PROTOCOL A1, B2).
type IPCOp int

const (
	IPCDispatch       IPCOp = 0 // both; "t" is its type
	IPCIdentify       IPCOp = 1 // instance → CONTROL
	IPCHello          IPCOp = 2 // CONTROL → instance
	IPCCacheOperate   IPCOp = 3 // both
	IPCError          IPCOp = 4 // instance → CONTROL, and back as the answer to a failed eval
	IPCEmergency      IPCOp = 5 // both
	IPCInvalidSession IPCOp = 6 // instance → CONTROL
	IPCHeartbeat      IPCOp = 7 // both, ours
)

// Types of dispatch ("t") that have a message of their own in this file.
const (
	TConnected  = "CONNECTED"
	TDestroying = "DESTROYING"
	TShard      = "SHARD"
	TSessions   = "SESSIONS"
	TPermit     = "PERMIT"
	TReconnect  = "RECONNECT"
	TDrain      = "DRAIN"
	TBotDied    = "BOT_DIED"
	TBotSilent  = "BOT_SILENT"
	TBotTrouble = "BOT_TROUBLE"
	TRoll       = "ROLLING_RESTART"
)

// Types of dispatch that travel as Operation (PROTOCOL A4, B2).
const (
	TMessage        = "MESSAGE"
	TBroadcastEval  = "BROADCAST_EVAL"
	TPresenceUpdate = "PRESENCE_UPDATE"
	TGuildMembers   = "GUILD_MEMBERS_REQUEST"
	TRestructuring  = "RESTRUCTURING"
	TRestLimitsSync = "REST_LIMITS_SYNC"
	TRequest        = "REQUEST" // ours, documented below
)

// A request (op 0 REQUEST, instance → CONTROL → instances) calls a handler by its name:
//
//	{event_id, name, data, shards:[cluster ids] or shard_ids:[Discord shards], from, timeout_ms?}
//
// An instance answers {event_id, result}, or op 4 REQUEST {event_id, result:{name,message}}.
// CONTROL answers the requester once, with clusters naming the cluster of each result:
//
//	{event_id, result:[…], clusters:[…], errors?:[{cluster, shard?, error}]}
//
// For an instance that announced the protocol, the answers of BROADCAST_EVAL have clusters and
// errors too, those of CACHE_OPERATE have errors, and a MESSAGE or PRESENCE_UPDATE that did not
// reach every cluster is answered by op 4 of its type, {event_id, errors}.

// CacheOpMax is the last cache operation that a stock instance survives (PROTOCOL A1).
const CacheOpMax = 12

// FromInstance is any packet a cluster process may send. The set is closed.
type FromInstance interface{ fromInstance() }

// FromManager is any packet CONTROL may send to a cluster process. The set is closed.
type FromManager interface{ fromManager() }

// Protocol is the way CONTROL talks to a bot (DESIGN §9).
type Protocol string

const (
	// Discordoo's IPC and our additions (PROTOCOL B2): it asks for permits
	ProtocolSDK       Protocol = "sdk"
	ProtocolDiscordoo Protocol = "discordoo" // Discordoo's IPC alone (PROTOCOL A1–A4)
	// none: the bot gets its shards by environment, and a rule decides whether it is ready
	ProtocolEnv Protocol = "env"
)

// ReadyRule sets when a bot with ProtocolEnv is ready. One of the three is set.
type ReadyRule struct {
	After time.Duration  // after its start, and not before its last identify: readiness is then assumed
	URL   string         // once it answers with 2xx; ClusterID.In puts the cluster's id in
	Log   *regexp.Regexp // once a line of its output matches
}

// ProtocolVersion is ours, in Hello and Identify; a peer without it is a stock Discordoo.
const ProtocolVersion = 1

// Hello (op 2, CONTROL → instance) opens the conversation; repeated, it probes whether the instance
// answers. The first five fields are Discordoo's (PROTOCOL A3), the rest B2. An instance that
// announced sessions starts its shards on the second Hello, which brings Sessions, perhaps none.
type Hello struct {
	ID                  Snowflake    `json:"id"` // SHARDING_MANAGER_IPC
	EventID             Snowflake    `json:"event_id"`
	HeartbeatIntervalMS Milliseconds `json:"heartbeat_interval"`
	Shards              []int        `json:"shards"`
	TotalShards         int          `json:"total_shards"`

	Protocol       int          `json:"protocol,omitempty"`
	Features       []string     `json:"features,omitempty"`
	Cluster        *ClusterID   `json:"cluster,omitempty"`
	ClusterCount   int          `json:"cluster_count,omitempty"`
	MaxConcurrency int          `json:"max_concurrency,omitempty"`
	Sessions       *[]Session   `json:"sessions,omitempty"` // nil: absent
	OnLost         string       `json:"on_lost,omitempty"`  // OnLostAutonomous or OnLostExit
	LostAfterMS    Milliseconds `json:"lost_after_ms,omitempty"`
	LeaseMS        Milliseconds `json:"lease_ms,omitempty"`
	Token          Secret       `json:"token,omitempty"`
}

// What a bot does after LostAfterMS without CONTROL (DESIGN §6).
const (
	OnLostAutonomous = "autonomous"
	OnLostExit       = "exit"
)

// Identify (op 1, instance → CONTROL) answers a Hello and carries its EventID. Stock Discordoo
// sends the first two fields alone.
type Identify struct {
	ID      Snowflake `json:"id"`
	EventID Snowflake `json:"event_id"`

	Protocol   int       `json:"protocol,omitempty"`
	Features   []string  `json:"features,omitempty"`
	SDK        string    `json:"sdk,omitempty"` // "<name>/<version>"
	PID        int       `json:"pid,omitempty"`
	Intents    int64     `json:"intents,omitempty"`
	State      string    `json:"state,omitempty"` // "idle", "serving", "draining"
	Shards     []int     `json:"shards,omitempty"`
	ShardCount int       `json:"shard_count,omitempty"`
	Sessions   []Session `json:"sessions,omitempty"`
}

// States of an instance, in Identify.
const (
	InstanceIdle     = "idle"
	InstanceServing  = "serving"
	InstanceDraining = "draining"
)

// Connected (op 0, instance → CONTROL) reports that every shard of the instance had READY or
// RESUMED. EventID is the instance's snowflake (PROTOCOL A3).
type Connected struct {
	EventID Snowflake `json:"event_id"`
}

// Failure (op 4 without "t", instance → CONTROL) reports that the bot could not start and is about
// to exit. Code is ours (PROTOCOL B2); 0 where the instance sends only a text.
type Failure struct {
	EventID Snowflake    `json:"event_id"`
	Error   FailureError `json:"error"`
}

// FailureError is Discordoo's serialised error.
type FailureError struct {
	Name    string `json:"name,omitempty"`
	Message string `json:"message"`
	Stack   string `json:"stack,omitempty"`
	Code    int    `json:"code,omitempty"`
}

// Destroying (op 0, both ways) ends an instance for good: it closes its shards with 1000, echoes
// the packet and exits 0 (PROTOCOL A3).
type Destroying struct {
	EventID Snowflake `json:"event_id"`
}

// InvalidSession (op 6, instance → CONTROL) reports that our Hello had another manager's id
// (PROTOCOL A3).
type InvalidSession struct {
	ID Snowflake `json:"id"`
}

// IPCBeat (op 7, both ways) is sent by the instance and answered with the same EventID (PROTOCOL
// B2).
type IPCBeat struct {
	ID      Snowflake    `json:"id"`
	EventID Snowflake    `json:"event_id"`
	LeaseMS Milliseconds `json:"lease_ms,omitempty"` // in the answer: what is left of the lease
	// in the answer: MASTER is away, and another machine may serve the same shards now
	Lapsed bool `json:"lapsed,omitempty"`
}

// ShardStatus (op 0 SHARD, instance → CONTROL) is a shard's state and figures (PROTOCOL B2).
type ShardStatus struct {
	EventID   Snowflake    `json:"event_id,omitempty"`
	Shard     int          `json:"shard_id"`
	State     ShardState   `json:"state"`
	CloseCode int          `json:"close_code,omitempty"`
	LatencyMS Milliseconds `json:"latency_ms,omitempty"`
	Guilds    *int         `json:"guilds,omitempty"`
	Events    *int64       `json:"events,omitempty"` // since the process started
	// events that the bot has not acknowledged, and the age of the oldest
	Waiting   *int         `json:"waiting,omitempty"`
	WaitingMS Milliseconds `json:"waiting_ms,omitempty"`
	HostMemory
	// since when no event came, while the shard is deaf: it is READY, but gets none for far longer
	// than its habit, while other shards do. 0: it hears, or that is unknown
	DeafMS Milliseconds `json:"deaf_ms,omitempty"`
}

// HostMemory holds the memory that the host of a bot uses for it, in bytes; all 0: unknown.
type HostMemory struct {
	GuildsBytes int64 `json:"guilds_bytes,omitempty"`     // its guilds
	EventsBytes int64 `json:"events_bytes,omitempty"`     // events that the bot has not acknowledged
	EventsMax   int64 `json:"events_max_bytes,omitempty"` // beyond it the oldest are dropped
}

// Add returns the sum of two.
func (m HostMemory) Add(n HostMemory) HostMemory {
	return HostMemory{m.GuildsBytes + n.GuildsBytes, m.EventsBytes + n.EventsBytes, m.EventsMax + n.EventsMax}
}

// ShardState is the state of a shard.
type ShardState string

const (
	ShardIdle          ShardState = "idle"
	ShardWaitingPermit ShardState = "waiting_permit"
	ShardConnecting    ShardState = "connecting"
	ShardIdentifying   ShardState = "identifying"
	ShardResuming      ShardState = "resuming"
	ShardReady         ShardState = "ready"
	ShardDisconnected  ShardState = "disconnected"
	ShardFailed        ShardState = "failed"
)

// InstanceSessions (op 0 SESSIONS, instance → CONTROL) lists sessions that advanced, and shards
// whose session is gone (PROTOCOL B2).
type InstanceSessions struct {
	EventID  Snowflake `json:"event_id,omitempty"`
	Sessions []Session `json:"sessions,omitempty"`
	Gone     []int     `json:"gone,omitempty"`
}

// PermitAsk (op 0 PERMIT, instance → CONTROL) comes before every IDENTIFY to Discord, never before
// a RESUME (PROTOCOL B2).
type PermitAsk struct {
	EventID Snowflake     `json:"event_id"`
	Shard   int           `json:"shard_id"`
	Cause   IdentifyCause `json:"cause"`
}

// PermitGrant (op 0 PERMIT, CONTROL → instance) answers PermitAsk; the times count from its arrival
// (PROTOCOL B2).
type PermitGrant struct {
	EventID     Snowflake    `json:"event_id"`
	Shard       int          `json:"shard_id"`
	Granted     bool         `json:"granted"`
	UseWithinMS Milliseconds `json:"use_within_ms,omitempty"`
	// the same as a moment, for a bot that may have been suspended: both ends share one clock
	UseBefore *UnixMillis `json:"use_before,omitempty"`
	// the same in the machine's uptime (CLOCK_BOOTTIME), which cannot be set
	UseBeforeUp  Milliseconds `json:"use_before_up,omitempty"`
	RetryAfterMS Milliseconds `json:"retry_after_ms,omitempty"`
	Reason       string       `json:"reason,omitempty"`
}

// PermitSent (op 0 PERMIT, instance → CONTROL) follows the IDENTIFY frame at once; Sent is false
// when the permit was discarded (PROTOCOL B2).
type PermitSent struct {
	EventID Snowflake `json:"event_id"`
	Shard   int       `json:"shard_id"`
	Sent    bool      `json:"sent"`
}

// Reconnect (op 0 RECONNECT, CONTROL → instance) orders the instance to close the shard with 4000
// and resume it (PROTOCOL B2).
type Reconnect struct {
	EventID Snowflake `json:"event_id"`
	Shard   int       `json:"shard_id"`
}

// Drain (op 0 DRAIN, CONTROL → instance) orders the instance to stop reading, let handlers end
// until the deadline, close every shard with 4000, answer Drained and exit 0 (PROTOCOL B2).
type Drain struct {
	EventID    Snowflake    `json:"event_id"`
	DeadlineMS Milliseconds `json:"deadline_ms"` // from now
}

// Drained (op 0 DRAIN, instance → CONTROL) answers Drain with the sessions at their exact seq
// (PROTOCOL B2).
type Drained struct {
	EventID  Snowflake `json:"event_id"`
	Sessions []Session `json:"sessions"`
}

// ChildDied (op 0 BOT_DIED, instance → CONTROL) reports the death of the bot that the instance runs
// as its child, and starts again itself (PROTOCOL B2).
type ChildDied struct {
	EventID   Snowflake    `json:"event_id,omitempty"`
	Cause     string       `json:"cause"`
	Tail      string       `json:"tail,omitempty"` // the end of its output
	RetryInMS Milliseconds `json:"retry_in_ms,omitempty"`
}

// ChildSilent (op 0 BOT_SILENT, instance → CONTROL) reports that the bot that the instance runs as
// its child lives, but has never connected to it. The shards then wait, however long (PROTOCOL B2).
type ChildSilent struct {
	EventID Snowflake `json:"event_id,omitempty"`
	Cause   string    `json:"cause"`
}

// ChildTrouble (op 0 BOT_TROUBLE, instance → CONTROL) reports what goes wrong between the instance
// and the bot that it runs as its child, or (Over) that this trouble is over (PROTOCOL B2).
type ChildTrouble struct {
	EventID   Snowflake   `json:"event_id,omitempty"`
	Kind      TroubleKind `json:"kind"`
	Shard     *int        `json:"shard_id,omitempty"` // nil: it is of no single one
	Events    int         `json:"events,omitempty"`   // that the bot will never get
	CloseCode int         `json:"close_code,omitempty"`
	Err       string      `json:"err,omitempty"` // what happened, as a sentence
	Over      bool        `json:"over,omitempty"`
}

// TroubleKind is the kind of a ChildTrouble. Others may come later.
type TroubleKind string

const (
	TroubleDropped TroubleKind = "dropped" // events were dropped
	TroubleSkipped TroubleKind = "skipped" // an event ended every process that got it
	TroubleRefused TroubleKind = "refused" // a connection was closed for what the bot did
	TroubleMemory  TroubleKind = "memory"  // its guilds need more memory than they may have
	TroubleUnkept  TroubleKind = "unkept"  // sessions and guilds cannot be written to disk
	TroubleTorn    TroubleKind = "torn"    // what was on disk is damaged
	TroubleDoubt   TroubleKind = "doubt"   // it is unknown whether the bot of an earlier instance lives
	TroublePast    TroubleKind = "past"    // the bot is connected to Discord's gateway past the instance
)

// Roll (op 0 ROLLING_RESTART, instance → CONTROL) asks for a rolling restart of this machine, as an
// operator orders it; it has no answer (PROTOCOL B2).
type Roll struct {
	EventID Snowflake `json:"event_id,omitempty"`
}

// Operation is any other packet, both ways: evals, messages, cache operations, presences, members
// (PROTOCOL A4), and packets unknown to this version. Its data is kept as received.
type Operation struct {
	Op   IPCOp
	T    string          // "" where the packet had none
	Data json.RawMessage // "d"; nil where the packet had none
}

func (Identify) fromInstance()         {}
func (Connected) fromInstance()        {}
func (Failure) fromInstance()          {}
func (Destroying) fromInstance()       {}
func (InvalidSession) fromInstance()   {}
func (IPCBeat) fromInstance()          {}
func (ShardStatus) fromInstance()      {}
func (InstanceSessions) fromInstance() {}
func (PermitAsk) fromInstance()        {}
func (PermitSent) fromInstance()       {}
func (Drained) fromInstance()          {}
func (ChildDied) fromInstance()        {}
func (ChildSilent) fromInstance()      {}
func (ChildTrouble) fromInstance()     {}
func (Roll) fromInstance()             {}
func (Operation) fromInstance()        {}

func (Hello) fromManager()       {}
func (Destroying) fromManager()  {}
func (IPCBeat) fromManager()     {}
func (PermitGrant) fromManager() {}
func (Reconnect) fromManager()   {}
func (Drain) fromManager()       {}
func (Operation) fromManager()   {}

// FatalCode reports whether no restart cures a gateway close code (PROTOCOL B5).
func FatalCode(code int) bool {
	switch code {
	case 4004, 4010, 4011, 4012, 4013, 4014:
		return true
	}
	return false
}

// FleetCode reports whether a fatal close code concerns every shard of the bot, so that the whole
// fleet stops (DESIGN §4).
func FleetCode(code int) bool { return code == 4004 || code == 4013 || code == 4014 }
