// Package client is a small gateway client for one shard of a Discord bot: it connects, identifies
// or resumes, beats, and hands every event to one handler, in order.
//
//	             HELLO, no session               permit              READY
//	connecting ──────────────────▶ waiting_permit ─────▶ identifying ─────▶ ready
//	   ▲   │     HELLO, a session                                            ▲
//	   │   └──────────────────────────────────────────▶ resuming ────────────┘ RESUMED
//	   └──── 0, 1, 2, 4 … 30 s ± 20 % ──── disconnected ◀──── any of them, when its connection ends
//
// A session survives every end but op 9 false, 4007 and 4009; a fatal close code ends Run. What it
// does on the wire is Discord's documentation of gateway v10 (PROTOCOL B5). It knows nothing of
// clusters: its user gives it a Permit hook, which is asked before every IDENTIFY, and may
// hand the session on to another process. Send sends what else the bot has to send.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/discluster/control/messages"
)

// Config is one shard. Lapsed, Session, SessionGone, State, Ended and Latency must not block, nor
// call the client; any hook but Gateway and Permit may be nil.
type Config struct {
	Token             messages.Secret
	Shard, ShardCount int               // 0 ≤ Shard < ShardCount
	Intents           int64             // Discord's bit set
	Resume            *messages.Session // to begin with a RESUME of it; nil: with an IDENTIFY

	// Gateway returns the URL for an IDENTIFY, "wss://gateway.discord.gg", as GatewayBot returned it.
	// It is asked before every connection that has no session to resume, for a RESUME goes to the
	// session's own URL. An error with CloseCode() int, such as *UnauthorizedError, ends Run; any
	// other is an attempt that failed. It may block until ctx ends.
	Gateway func(ctx context.Context) (url string, err error)
	// Permit is asked before every IDENTIFY, never before a RESUME, once a connection is open and has
	// said HELLO. It may take as long as it likes, until ctx ends. An error ends Run.
	Permit func(ctx context.Context, cause messages.IdentifyCause) (Permit, error)
	// Identify returns fields that an IDENTIFY has beside the client's own, such as presence and
	// large_threshold; nil: none.
	Identify func() map[string]json.RawMessage
	// Lapsed reports whether another process may have been given the session; nil: never. It is then
	// resumed at most once a minute, so that two owners do not steal it from each other in a loop.
	Lapsed func() bool
	// Session reports the session on READY, and whenever its seq, that of the last event whose handler
	// returned, has changed.
	Session func(messages.Session)
	// SessionGone reports that the session can no longer be resumed.
	SessionGone func()
	// State reports what the shard is doing, whenever that changes; closeCode is the gateway's when it
	// closed the connection, else 0.
	State func(state messages.ShardState, closeCode int)
	// Ended reports why a connection ended, or was not made, when another one follows.
	Ended func(error)
	// Event handles every dispatch, READY and RESUMED among them, in order, on one goroutine of its
	// own. It may keep the event's data. ctx ends when the client waits for it no longer.
	Event func(ctx context.Context, e Event)
	// Latency reports the time from a heartbeat to its answer.
	Latency func(time.Duration)

	Dial func(ctx context.Context, network, address string) (net.Conn, error) // opens the connection below the websocket; nil: a net.Dialer's, through no proxy
	Rand func() float64                                                       // a number in [0,1); nil: math/rand's
}

// Event is one dispatch.
type Event struct {
	Kind string
	Seq  int64
	Data json.RawMessage // "d" as it came
}

// Permit allows one IDENTIFY. The client calls exactly one of Sent and Unused, once.
type Permit interface {
	Overdue() bool // must no longer be used; asked right before the IDENTIFY is written
	Sent()         // the IDENTIFY was written, or may have been: a write that failed half-way counts
	Unused()
}

// Client is one shard's life over any number of connections. Run is called once; the other methods
// from anywhere, at any time.
type Client struct {
	cfg Config

	// Of Run's goroutine alone.
	// seq of the last event that came: a RESUME in this process goes on from it, as what is queued
	// will be handled
	received int64
	cause    messages.IdentifyCause // of the next IDENTIFY
	asked    chan grant             // brings the answer of the permit that was asked for; nil: none is
	fails    int                    // connections in a row that did not become ready
	resumed  time.Time              // when a RESUME was granted last
	pause    time.Duration          // before the next connection, in place of the backoff; 0: none
	state    messages.ShardState    // as last reported

	pace      pace                    // of what Send was given
	sends     chan outgoing           // given to Send and not written
	queue     chan event              // to the handler
	handled   chan struct{}           // closed when the handler has ended
	reconnect chan struct{}           // Reconnect was called
	running   context.Context         // ends with Close, with Run's context, or for the error that Run returns
	halt      context.CancelCauseFunc // ends it

	mu      sync.Mutex // guards what follows, and orders the session hooks
	session *messages.Session
	stop    order
	mute    bool // Run has returned: no hook is called any more
}

// event is one dispatch on its way to the handler.
type event struct {
	Event
	session string // id of the session it belongs to
}

// grant is the answer of the Permit hook.
type grant struct {
	permit Permit
	err    error
}

// order is the end that Close asked for. Its zero value is every other end: at once, resumable.
type order struct {
	deadline time.Time
	final    bool
}

const (
	queueMax    = 1024        // events waiting for the handler; then the socket is no longer read, so that TCP holds Discord back
	lapsedEvery = time.Minute // between two RESUMEs of a session that another process may have

	backoffMax = 30 * time.Second // between two attempts to connect: an outage of Discord is waited for in place (DESIGN §4)
)

// errStopped is why running ends when nothing went wrong.
var errStopped = errors.New("stopped")

// New makes a client. Nothing happens before Run.
func New(cfg Config) *Client {
	if cfg.Rand == nil {
		cfg.Rand = rand.Float64
	}
	c := &Client{
		cfg: cfg, cause: messages.CauseStart, state: messages.ShardIdle,
		queue: make(chan event, queueMax), sends: make(chan outgoing, sendsMax), handled: make(chan struct{}), reconnect: make(chan struct{}, 1),
	}
	c.running, c.halt = context.WithCancelCause(context.Background())
	if s := cfg.Resume; s != nil {
		own := *s
		c.session, c.received = &own, s.Seq
	}
	return c
}

// Run lives until Close or the end of ctx, and then returns nil. Earlier it ends by a *FatalError,
// by an error of the Permit hook, or at once by a GatewayURL that is none. Everything else, connect
// errors among it, is retried forever. The end of ctx closes with 4000 at once: what Session
// reports can be resumed.
func (c *Client) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { c.halt(errStopped) })()
	handler, cancel := context.WithCancel(ctx)
	go c.handle(handler, c.queue)

	for c.running.Err() == nil {
		if err := c.connection(handler); c.running.Err() == nil {
			c.ended(err)
			c.rest()
		}
	}
	c.drain(handler)
	cancel()
	if c.asked != nil {
		if g := <-c.asked; g.err == nil {
			g.permit.Unused()
		}
	}
	if c.ordered().final {
		c.forget()
	}
	err := context.Cause(c.running)
	if fatal, ok := errors.AsType[coded](err); ok {
		c.tell(messages.ShardFailed, fatal.CloseCode())
	} else {
		c.tell(messages.ShardIdle, 0)
	}
	c.mu.Lock()
	c.mute = true
	c.mu.Unlock()
	if errors.Is(err, errStopped) {
		return nil
	}
	return err
}

// ended reports a connection's end.
func (c *Client) ended(err error) {
	c.tell(messages.ShardDisconnected, closeCode(err))
	if c.cfg.Ended != nil {
		c.cfg.Ended(err)
	}
}

// rest waits between two connections.
func (c *Client) rest() {
	wait := c.pause
	if wait == 0 {
		wait = backoff(c.fails, c.cfg.Rand())
	}
	if c.cfg.Lapsed != nil && c.Session() != nil && c.cfg.Lapsed() {
		wait = max(wait, time.Until(c.resumed.Add(lapsedEvery)))
	}
	c.pause = 0
	c.fails++
	select {
	case <-time.After(wait):
	case <-c.reconnect: // somebody knows better
	case <-c.running.Done():
	}
}

// backoff returns the wait after a number of failures in a row: 0, 1, 2, 4 … 30 s, ± 20 % (r in
// [0,1)).
func backoff(fails int, r float64) time.Duration {
	if fails == 0 {
		return 0
	}
	d := min(time.Second<<min(fails-1, 5), backoffMax)
	return time.Duration(float64(d) * (0.8 + 0.4*r))
}

// Close makes Run end: nothing more is read, the handler may finish what is queued until the
// deadline (then its ctx ends), and the connection is closed: with 4000, so that the session can be
// resumed, or, if final, with 1000. Close does not wait for that; the first one counts.
func (c *Client) Close(deadline time.Time, final bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running.Err() == nil {
		c.stop = order{deadline, final}
		c.halt(errStopped)
	}
}

// Reconnect closes the connection with 4000 and resumes on a new one; between two connections it
// cuts the wait short.
func (c *Client) Reconnect() {
	select {
	case c.reconnect <- struct{}{}:
	default: // already asked for
	}
}

// ordered returns the end that Close asked for.
func (c *Client) ordered() order {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stop
}

// handle is the handler's goroutine. It ends when the queue is closed and empty or, between two
// events, with ctx.
func (c *Client) handle(ctx context.Context, queue <-chan event) {
	defer close(c.handled)
	for e := range queue {
		if ctx.Err() != nil {
			return // what is left counts as not handled: a RESUME brings it again
		}
		if c.cfg.Event != nil {
			c.cfg.Event(ctx, e.Event)
		}
		c.moved(e)
	}
}

// drain lets the handler finish until the deadline. Only its first call does anything.
func (c *Client) drain(ctx context.Context) {
	if c.queue == nil {
		return
	}
	close(c.queue)
	c.queue = nil
	select {
	case <-c.handled:
	case <-time.After(time.Until(c.ordered().deadline)):
	case <-ctx.Done():
	}
}

// tell reports a new state.
func (c *Client) tell(s messages.ShardState, code int) {
	if s == c.state && code == 0 {
		return
	}
	c.state = s
	if c.cfg.State != nil {
		c.cfg.State(s, code)
	}
}
