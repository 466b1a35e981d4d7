package rules

import "time"

// Input is an input of Discord: the types below that have input().
type Input interface{ input() }

// Opened reports that a connection reached the gateway.
type Opened struct{ Conn Conn }

// Identify (op 2) requests a new session.
type Identify struct {
	Conn       Conn
	Token      string
	Shard      int
	ShardCount int
	Intents    int64 // absent on the wire: below 0, which is refused as invalid
}

// Resume (op 6) requests an old session and its events since Seq.
type Resume struct {
	Conn      Conn
	Token     string
	SessionID string
	Seq       int64
}

// Heartbeat (op 1) shows that the client lives; Seq is the last one it saw, nil before the first.
type Heartbeat struct {
	Conn Conn
	Seq  *int64
}

// Other is any other known op of a client (31, 43): it counts toward the 120 sends a minute and
// needs a session.
type Other struct{ Conn Conn }

// Malformed is an unreadable frame: Code is CloseUnknownOpcode, CloseDecodeError or
// CloseInvalidVersion.
type Malformed struct {
	Conn   Conn
	Code   int
	Reason string
}

// Closed reports that the client closed with Code; 1000 and 1001 end its session, CloseVanished
// means that the connection broke without a code.
type Closed struct {
	Conn Conn
	Code int
}

// Tick lets time pass: deadlines of silent connections and waiting sessions. Every other input does
// so too. Next returns when one is needed.
type Tick struct{}

// Emit is an event for every session of Shard, or of All shards that ever had a session: a shard
// without a session loses it, as at Discord. Without a Type it is a MESSAGE_CREATE whose content is
// the event's number.
type Emit struct {
	Shard int
	Type  string
	Data  []byte // JSON of "d"; not changed afterwards; nil: null
}

// Dispatch is an event of one guild, for every session that has the guild now. It is not counted
// among the emitted ones.
type Dispatch struct {
	Guild uint64
	Type  string
	Data  []byte // JSON of "d"; not changed afterwards
}

func (Opened) input()    {}
func (Identify) input()  {}
func (Resume) input()    {}
func (Heartbeat) input() {}
func (Request) input()   {}
func (Other) input()     {}
func (Malformed) input() {}
func (Closed) input()    {}
func (Tick) input()      {}
func (Emit) input()      {}
func (Dispatch) input()  {}
func (Fault) input()     {}

// Output is an action of Discord on a connection: the types below that have output().
type Output interface {
	output()
	To() Conn // its connection
}

// Hello (op 10) is the first frame of a connection.
type Hello struct {
	Conn     Conn
	Interval time.Duration // between heartbeats
}

// Ready (op 0, READY) starts a session. The caller adds resume_gateway_url.
type Ready struct {
	Conn          Conn
	Seq           int64
	SessionID     string
	Shard         int
	ShardCount    int
	UserID        uint64
	ApplicationID uint64
	Guilds        []uint64 // unavailable at first; a GUILD_CREATE follows for each
}

// Resumed (op 0, RESUMED) ends a replay.
type Resumed struct {
	Conn  Conn
	Seq   int64
	Shard int
}

// Event (op 0) is any other dispatch. The caller renders three kinds by guilds, which have no Data:
// an Answer, which has a Body, a GUILD_CREATE of the start, and a MESSAGE_CREATE that is only a
// number.
type Event struct {
	Conn       Conn
	Seq        int64
	Shard      int
	ShardCount int
	Type       string
	// of the shard's emitted events, from 1 on, over all sessions; 0 for an uncounted event
	Number int64
	Guild  uint64 // of an Answer or a GUILD_CREATE of the start; else 0
	Data   []byte // JSON of "d"; shared, must not be changed; nil: see above
	Body   any    // of an Answer
}

// Ack (op 11) answers a heartbeat.
type Ack struct{ Conn Conn }

// InvalidSession (op 9) takes the connection's session; Resumable: the session may be resumed.
type InvalidSession struct {
	Conn      Conn
	Resumable bool
}

// Reconnect (op 7) asks the client to reconnect and resume.
type Reconnect struct{ Conn Conn }

// Close ends a connection; nothing follows for it. CloseVanished: without a close frame.
type Close struct {
	Conn   Conn
	Code   int
	Reason string
}

func (Hello) output()          {}
func (Ready) output()          {}
func (Resumed) output()        {}
func (Event) output()          {}
func (Ack) output()            {}
func (InvalidSession) output() {}
func (Reconnect) output()      {}
func (Close) output()          {}

// To returns the connection of an output.
func (o Hello) To() Conn          { return o.Conn }
func (o Ready) To() Conn          { return o.Conn }
func (o Resumed) To() Conn        { return o.Conn }
func (o Event) To() Conn          { return o.Conn }
func (o Ack) To() Conn            { return o.Conn }
func (o InvalidSession) To() Conn { return o.Conn }
func (o Reconnect) To() Conn      { return o.Conn }
func (o Close) To() Conn          { return o.Conn }

// Close codes (topics/opcodes-and-status-codes, "Gateway Close Event Codes").
const (
	CloseVanished             = 1006 // RFC 6455: no close frame
	CloseUnknown              = 4000
	CloseUnknownOpcode        = 4001
	CloseDecodeError          = 4002
	CloseNotAuthenticated     = 4003
	CloseAuthenticationFailed = 4004
	CloseAlreadyAuthenticated = 4005
	CloseInvalidSeq           = 4007
	CloseRateLimited          = 4008
	CloseSessionTimedOut      = 4009
	CloseInvalidShard         = 4010
	CloseShardingRequired     = 4011
	CloseInvalidVersion       = 4012
	CloseInvalidIntents       = 4013
	CloseDisallowedIntents    = 4014
)

// EndsSession reports whether a close by Discord with this code leaves nothing to resume (PROTOCOL
// B5).
func EndsSession(code int) bool {
	switch code {
	case CloseAuthenticationFailed, CloseInvalidSeq, CloseSessionTimedOut, CloseInvalidShard,
		CloseShardingRequired, CloseInvalidVersion, CloseInvalidIntents, CloseDisallowedIntents:
		return true
	}
	return false
}
