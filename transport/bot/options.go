package bot

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/ipc"
)

// Option configures Join.
type Option func(*options)

type options struct {
	resume    bool
	intents   int64
	grace     time.Duration
	log       *slog.Logger
	operation func(messages.Operation) *messages.Operation

	messages    func(Message)
	undelivered func(Undelivered)
	handlers    map[string]Handler
	guest       func(GuestCall)
	relay       func(Relayed) error

	lookup  func(string) (string, bool)
	listen  func(path string, accept func(transport.Link)) (stop func(), err error)
	signals func() (term <-chan os.Signal, stop func())
	wall    func() time.Time
	uptime  func() time.Duration
}

// Machine gives a process access to its machine. A simulation passes its own to Join.
type Machine struct {
	// Lookup returns an environment variable, and whether it is set.
	Lookup func(name string) (value string, set bool)
	// Listen opens a socket at path and calls accept for every connection, until stop.
	Listen func(path string, accept func(transport.Link)) (stop func(), err error)
	// Signals delivers SIGTERMs, until stop.
	Signals func() (term <-chan os.Signal, stop func())
	// Wall returns the wall clock's time, in which CONTROL's packets are; it may be set at any
	// moment.
	Wall func() time.Time
	// Uptime returns the time since the machine's boot, the same for CONTROL; 0 where that is
	// unknown.
	Uptime func() time.Duration
}

// On runs the process on another machine.
func On(m Machine) Option {
	return func(o *options) {
		o.lookup, o.listen, o.signals, o.wall, o.uptime = m.Lookup, m.Listen, m.Signals, m.Wall, m.Uptime
	}
}

// grace is the time for handlers after a SIGTERM or DESTROYING, which have no deadline; CONTROL
// drains its clusters within 8 s (DESIGN §6).
const grace = 5 * time.Second

func defaults() options {
	return options{grace: grace, log: slog.Default(), lookup: os.LookupEnv, listen: ipc.Listen, signals: terminations, wall: time.Now, uptime: ipc.Uptime}
}

// terminations returns the SIGTERMs of this process.
func terminations() (<-chan os.Signal, func()) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGTERM)
	return ch, func() { signal.Stop(ch) }
}

// Resume announces that this bot can continue the sessions of an earlier process, so that a crash,
// a restart or another machine's death costs no IDENTIFY and loses no event.
//
// The bot must then:
//   - start each shard by a RESUME of shard.Session, where it is not nil;
//   - call shard.SetSession on READY and after each event whose handler returned (not at its
//     arrival: what was reported is not sent again), and shard.SessionGone when Discord refused the
//     session;
//   - cope with a RESUME, which brings no READY, no guilds, no members and no new intents. A bot
//     that caches must refill its caches by REST or from a store of its own; the session keeps
//     READY's user, application and guild ids for that. A bot that cannot must not announce this.
func Resume() Option { return func(o *options) { o.resume = true } }

// Intents declares the gateway intents of this bot's identifies. A session with other intents is
// not offered: a RESUME would keep the old ones.
func Intents(bits int64) Option { return func(o *options) { o.intents = bits } }

// Grace sets the time for handlers after a SIGTERM, a DESTROYING or the end of Run's context; the
// default is 5 s. A DRAIN has its own deadline.
func Grace(d time.Duration) Option { return func(o *options) { o.grace = d } }

// Log sets the logger of this package; the default is slog.Default.
func Log(l *slog.Logger) Option { return func(o *options) { o.log = l } }

// Messages handles the messages that other clusters send by Notify, one after another. Messages
// that come while 1,024 wait are dropped, and logged.
func Messages(handle func(Message)) Option { return func(o *options) { o.messages = handle } }

// Undeliverable handles messages of this cluster that did not reach every addressee: a cluster was
// not running, or reads too slowly. It must not block. Without it they are logged.
func Undeliverable(handle func(Undelivered)) Option {
	return func(o *options) { o.undelivered = handle }
}

// Handle answers the requests of this name that other clusters send by Ask. Several are handled at
// a time. Names that begin with "discluster." are reserved, and an error of Join.
func Handle(name string, handle Handler) Option {
	return func(o *options) {
		if o.handlers == nil {
			o.handlers = map[string]Handler{}
		}
		o.handlers[name] = handle
	}
}

// Operations handles all other operations of other clusters: evals and cache operations of stock
// bots, members, and messages without Messages (PROTOCOL A4). The answer, if any, is sent back; it
// must repeat the event_id. handle is called in order and must not block. Without it evals and
// cache operations are refused, so that their requesters get an answer, and the rest is ignored.
func Operations(handle func(messages.Operation) (answer *messages.Operation)) Option {
	return func(o *options) { o.operation = handle }
}
