// Package rules is Discord's gateway as a pure value: identify limits, sessions, sequence numbers,
// close codes and faults, without clock, I/O, goroutines or randomness.
//
// A caller passes every input to Step with the moment it reaches Discord and executes the outputs
// in order. The same inputs at the same times give the same outputs, so that a simulation is
// reproducible. transport/discord/server puts it behind real sockets; a simulation calls it
// directly.
//
//	             Opened          IDENTIFY → READY, RESUME → RESUMED
//	(no connection) ──▶ greeted ─────────────────────────────────────▶ attached to a session
//	                       ▲                 op 9                             │ closed, vanished, silent
//	                       └──────────────────────────────────────────────────┤
//	                                                                          ▼
//	                                      session waits SessionWindow for a RESUME, then ends
//
// Where Discord's documentation is silent, the stricter reading is taken and documented in place: a
// bot that is correct here is correct at Discord. Sources:
// https://discord.com/developers/docs/events/gateway, …/topics/opcodes-and-status-codes (v10).
package rules

import "time"

// Conn identifies one gateway connection. The caller chooses it, once, above 0; a number is never
// used again.
type Conn int64

// All, as a shard, means every shard.
const All = -1

// Config describes one application to Discord. Zero fields take the named default.
type Config struct {
	Token      string        // the only token that Discord accepts, without "Bot "
	ShardCount int           // the recommended number of shards; 1
	ResetAfter time.Duration // length of the budget's day; 24 h
	FirstReset time.Duration // rest of the first one at the start; all of it

	MaxConcurrency    int // IDENTIFYs that may come together: the number of buckets; 1
	IdentifyTotal     int // IDENTIFYs a day; 1,000, for a large bot max(2,000, Guilds/1,000×5)
	IdentifyRemaining int // of today's at the start; 0 means all of IdentifyTotal, below 0 none

	IdentifyEvery time.Duration // between two IDENTIFYs of one bucket, measured on arrival; 5 s
	Slack         time.Duration // tolerance below IdentifyEvery; 0

	// lifetime of a session without a connection; 90 s (one field report, api-docs#1619)
	SessionWindow     time.Duration
	ReplayEvents      int           // events a session keeps for a RESUME; 1,000
	HeartbeatInterval time.Duration // in HELLO; 41.25 s

	// of the application; guild k, from 1 on, has the id guilds.ID(k) and belongs to shard k mod
	// shard_count; 0
	Guilds int
	// intents that end in 4014; none. Intents are checked here, never applied to events
	DisallowedIntents int64
}

// Limits of Discord's documentation, "Sharding".
const (
	// above it shard_count must be a multiple of Discord's own number, else 4010
	largeBotGuilds = 150_000
	shardGuildsMax = 2_500 // a shard with more guilds is refused with 4011
)

// Discord is one application's half of Discord. It is not safe for concurrent use: one owner calls
// Step.
type Discord struct {
	c   Config
	now time.Time
	out []Output // of the step in progress

	refused   bool        // no token is accepted: reset by the daily limit, or a fault
	refusals  map[int]int // by shard, or All: the code that ends an IDENTIFY; set by faults alone
	outage    bool
	remaining int
	resetAt   time.Time
	buckets   []bucket

	conns     map[Conn]*conn
	sessions  map[string]*session
	byShard   map[int][]*session // the same sessions, oldest first
	started   int                // sessions ever, for the next one's id
	seed      int64              // start in nanoseconds: two Discords have different session ids
	deadlines deadlines
	whole     map[uint64]time.Time // by guild: when all of its members may be requested again

	numbers map[int]*EventCount // events by shard, of every shard that ever had one or a session
	known   []int               // the same shards, in order
	score   ledger
}

// conn is one open connection.
type conn struct {
	id      Conn
	session *session    // nil while greeted
	heard   time.Time   // of the last heartbeat, or the opening
	sends   []time.Time // within the last sendWindow, for 4008
	frozen  bool        // a dead gateway node: it ignores inputs and sends nothing
}

// New returns a Discord without history; its budget's day begins at start.
func New(c Config, start time.Time) *Discord {
	c = c.withDefaults()
	remaining := c.IdentifyRemaining
	if remaining == 0 {
		remaining = c.IdentifyTotal
	}
	return &Discord{
		c: c, now: start, seed: start.UnixNano(),
		remaining: max(remaining, 0),
		resetAt:   start.Add(c.FirstReset),
		buckets:   make([]bucket, c.MaxConcurrency),
		refusals:  map[int]int{},
		whole:     map[uint64]time.Time{},
		conns:     map[Conn]*conn{},
		sessions:  map[string]*session{},
		byShard:   map[int][]*session{},
		numbers:   map[int]*EventCount{},
		score:     ledger{start: start, shards: map[shardKey]*ShardScore{}},
	}
}

// withDefaults fills the zero fields.
func (c Config) withDefaults() Config {
	setDefault(&c.ShardCount, 1)
	setDefault(&c.ResetAfter, 24*time.Hour)
	setDefault(&c.FirstReset, c.ResetAfter)
	setDefault(&c.MaxConcurrency, 1)
	if c.Guilds > largeBotGuilds {
		setDefault(&c.IdentifyTotal, max(2000, c.Guilds/1000*5))
	}
	setDefault(&c.IdentifyTotal, 1000)
	setDefault(&c.IdentifyEvery, 5*time.Second)
	setDefault(&c.SessionWindow, 90*time.Second)
	setDefault(&c.ReplayEvents, 1000)
	setDefault(&c.HeartbeatInterval, 41250*time.Millisecond)
	return c
}

// setDefault sets *v to d if it is not above zero.
func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Step applies one input that reaches Discord at now and returns Discord's outputs, in order.
// Deadlines since the last step come first. A now before the last one counts as the last one.
// Inputs of a connection that is closed, frozen or unknown are ignored.
func (d *Discord) Step(now time.Time, in Input) []Output {
	d.out = nil
	d.advance(now)
	switch in := in.(type) {
	case Opened:
		d.open(in.Conn)
	case Identify:
		if c := d.hear(in.Conn); c != nil {
			d.identify(c, in)
		}
	case Resume:
		if c := d.hear(in.Conn); c != nil {
			d.resume(c, in)
		}
	case Heartbeat:
		if c := d.hear(in.Conn); c != nil {
			c.heard = d.now
			d.output(Ack{Conn: c.id})
		}
	case Request:
		if c := d.hear(in.Conn); c != nil {
			d.request(c, in)
		}
	case Other:
		if c := d.hear(in.Conn); c != nil && c.session == nil {
			d.close(c, CloseNotAuthenticated, "Not authenticated.")
		}
	case Malformed:
		if c := d.hear(in.Conn); c != nil {
			d.close(c, in.Code, in.Reason)
		}
	case Closed:
		d.closed(in)
	case Emit:
		d.emit(in)
	case Dispatch:
		d.dispatchTo(in)
	case Fault:
		d.fault(in)
	case Tick: // done by advance
	}
	return d.out
}

func (d *Discord) output(o Output) { d.out = append(d.out, o) }

// open greets a new connection, or drops it during an outage.
func (d *Discord) open(id Conn) {
	if id <= 0 || d.conns[id] != nil {
		return
	}
	if d.outage {
		d.output(Close{Conn: id, Code: CloseVanished, Reason: "outage"})
		return
	}
	c := &conn{id: id, heard: d.now}
	d.conns[id] = c
	d.deadlines.add(deadline{at: d.silentAt(c), conn: c})
	d.output(Hello{Conn: id, Interval: d.c.HeartbeatInterval})
}

// Limit of a connection's sends: "120 gateway events per connection every 60 seconds"
// (events/gateway, "Rate Limiting"). All sends count, heartbeats too, and the window slides.
const (
	sendsMax   = 120
	sendWindow = time.Minute
)

// hear returns the connection of an input, nil if it must be ignored; a connection that sends too
// fast is closed here.
func (d *Discord) hear(id Conn) *conn {
	c := d.conns[id]
	if c == nil || c.frozen {
		return nil
	}
	old := 0
	for old < len(c.sends) && d.now.Sub(c.sends[old]) >= sendWindow {
		old++
	}
	c.sends = append(c.sends[:copy(c.sends, c.sends[old:])], d.now)
	if len(c.sends) > sendsMax {
		d.score.RateLimited++
		d.close(c, CloseRateLimited, "You are being rate limited.")
		return nil
	}
	return c
}

// closed handles the client's end of a connection.
func (d *Discord) closed(in Closed) {
	c := d.conns[in.Conn]
	if c == nil {
		return
	}
	// "the session will be invalidated … your bot will appear offline"
	d.drop(c, in.Code == 1000 || in.Code == 1001)
}

// close ends a connection with a close code. The session waits for a RESUME unless the code
// excludes one.
func (d *Discord) close(c *conn, code int, reason string) {
	d.output(Close{Conn: c.id, Code: code, Reason: reason})
	d.drop(c, EndsSession(code))
}

// drop forgets a connection; its session ends with it or begins to wait.
func (d *Discord) drop(c *conn, end bool) {
	delete(d.conns, c.id)
	if s := c.session; s != nil {
		d.detach(s)
		if end {
			d.end(s)
		}
	}
}
