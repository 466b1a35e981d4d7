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

// Option changes how Join does it.
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

	lookup  func(string) (string, bool)
	listen  func(path string, accept func(transport.Link)) (stop func(), err error)
	signals func() (term <-chan os.Signal, stop func())
	wall    func() time.Time
	uptime  func() time.Duration
}

// Machine is what a process takes from the machine it runs on. A simulation gives Join another one
// than the operating system's.
type Machine struct {
	// Lookup returns an environment variable, and whether it is set.
	Lookup func(name string) (value string, set bool)
	// Listen opens a socket at path and calls accept for every connection, until stop.
	Listen func(path string, accept func(transport.Link)) (stop func(), err error)
	// Signals delivers SIGTERMs, until stop.
	Signals func() (term <-chan os.Signal, stop func())
	// Wall reads the wall clock, which CONTROL's packets show; it may be set at any moment.
	Wall func() time.Time
	// Uptime is how long the machine has been up, as CONTROL reads it, too; 0 where that is unknown.
	Uptime func() time.Duration
}

// On makes the process one of another machine.
func On(m Machine) Option {
	return func(o *options) {
		o.lookup, o.listen, o.signals, o.wall, o.uptime = m.Lookup, m.Listen, m.Signals, m.Wall, m.Uptime
	}
}

// grace is how long handlers may work on after a SIGTERM or DESTROYING, which name no deadline; CONTROL drains its clusters within 8 s (DESIGN §6).
const grace = 5 * time.Second

func defaults() options {
	return options{grace: grace, log: slog.Default(), lookup: os.LookupEnv, listen: ipc.Listen, signals: terminations, wall: time.Now, uptime: ipc.Uptime}
}

// terminations are the SIGTERMs of this process.
func terminations() (<-chan os.Signal, func()) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGTERM)
	return ch, func() { signal.Stop(ch) }
}

// Resume announces that this bot can go on with sessions of a process before it, so that a crash, a restart or another machine's death costs no IDENTIFY and loses no event.
//
// What the bot must then do:
//   - begin each shard by a RESUME of shard.Session, where it is not nil;
//   - tell shard.SetSession on READY and after each event whose handler returned (not as it arrives: what was told is not sent again), and shard.SessionGone when
//     Discord refused the session;
//   - live with what a RESUME does not bring: no READY, no guilds, no members, no new intents. A bot that caches comes back deaf unless it refills its caches by itself,
//     by REST or from a store of its own; the session keeps READY's user, application and guild ids for that. A bot that can not must not announce this.
func Resume() Option { return func(o *options) { o.resume = true } }

// Intents declares the gateway intents this bot identifies with. A session of other intents is not offered: a RESUME would keep the old ones.
func Intents(bits int64) Option { return func(o *options) { o.intents = bits } }

// Grace is how long handlers may work on after a SIGTERM, a DESTROYING or the end of Run's context; the default is 5 s. A DRAIN names its own deadline.
func Grace(d time.Duration) Option { return func(o *options) { o.grace = d } }

// Log takes the few lines this package has to say; the default is slog.Default.
func Log(l *slog.Logger) Option { return func(o *options) { o.log = l } }

// Messages takes the messages that other clusters Tell, one after another. What comes while 1,024 wait is dropped, and logged.
func Messages(handle func(Message)) Option { return func(o *options) { o.messages = handle } }

// Undeliverable is told of messages of our own that did not reach everyone: a cluster was not there, or reads too slowly. It must not block. Without it that is logged.
func Undeliverable(handle func(Undelivered)) Option {
	return func(o *options) { o.undelivered = handle }
}

// Handle answers the requests of this name that other clusters Ask. Several are handled at a time. Names that begin with "discluster." are this package's own, and an error of Join.
func Handle(name string, handle Handler) Option {
	return func(o *options) {
		if o.handlers == nil {
			o.handlers = map[string]Handler{}
		}
		o.handlers[name] = handle
	}
}

// Operations handles what else other clusters ask by way of CONTROL: evals and cache operations of
// stock bots, members, and messages without Messages (PROTOCOL A4). The answer, if any, is sent
// back; it must repeat the event_id. handle is called in order and must not block. Without it evals
// and cache operations are refused, so that nobody waits for an answer, and the rest is ignored.
func Operations(handle func(messages.Operation) (answer *messages.Operation)) Option {
	return func(o *options) { o.operation = handle }
}
