// Package server is the simulated Discord: REST and gateway (v9 and v10) over real HTTP and
// websockets, around the pure rules of transport/discord/rules.
//
//	bot ──frames──▶ reader ──▶ in line ──▶ ┌───────┐ ──▶ out line ──▶ writer ──frames──▶ bot
//	                           (jitter)    │ owner │     (jitter)
//	REST, faults, stats ─────────────────▶ └───────┘
//
// One goroutine, the owner, has the rules; all others send it functions. An input's time is its
// arrival at Discord: after the jitter, before the owner's queue.
//
//   - GET /api/v10 (or v9)/gateway/bot, /gateway, /users/@me, /applications/@me: Authorization
//     "Bot <token>". The same holds for guilds with their channels, roles and members
//     (rest_guilds.go), messages of the bot (rest_messages.go) and its commands
//     (rest_commands.go).
//   - GET / and /gateway (which READY names for resumes): websocket,
//     ?v=10 (or 9)&encoding=json[&compress=zlib-stream|zstd-stream]. Op 3, 4 and 8 are answered by
//     their events, to a session with the intents for them.
//   - POST /faults: a rules.Fault as JSON. POST /settings: a Settings as JSON. GET /stats: a Stats
//     as JSON.
//
// It is for tests and rehearsals: it has no secrets of its own, and any client may break it.
package server

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/discluster/control/transport/discord/guilds"
	"github.com/discluster/control/transport/discord/rules"
)

// Config describes one simulated Discord.
type Config struct {
	Rules rules.Config
	Shape guilds.Shape // of every guild
	// https and wss instead of http and ws; nil: without TLS
	Certificate *Certificate
	// each direction of each connection is delayed by 0 to this, in order; 0: no delay
	Jitter time.Duration
	// numbered MESSAGE_CREATEs for every shard; 0: none; at most 1,000
	EventsPerSecond float64
	Seed            uint64 // of the jitter
	// called when Discord refuses something, in the manner of slog; nil: not called
	Log func(msg string, kv ...any)
}

// Limits of the server. Discord's own are in rules.
const (
	connectionsMax = 20_000          // open sockets; one more is closed unread
	bodyMax        = 64 << 10        // bytes of a request body; more is 413
	headerMax      = 16 << 10        // bytes of a request's headers
	headerWait     = 5 * time.Second // for a request's headers
	// for a whole request, and for its answer; a websocket has waits of its own
	requestWait = 10 * time.Second
	idleWait    = 60 * time.Second // for the next request of a connection
	eventsMax   = 1000             // EventsPerSecond
	workMax     = 1024             // functions waiting for the owner; more wait in their senders
)

// Server is a simulated Discord. Its methods are safe for concurrent use.
type Server struct {
	log    func(msg string, kv ...any)
	config rules.Config
	shape  guilds.Shape
	seed   uint64
	jitter atomic.Int64 // a time.Duration
	next   atomic.Int64 // the last rules.Conn used

	messages atomic.Int64  // written by REST
	message  atomic.Uint64 // the last id of a message or a command
	commands commands

	http      *http.Server
	sockets   *sockets // nil before Listen
	handlers  sync.WaitGroup
	closeOnce sync.Once

	work  chan func()
	stop  chan struct{} // asks the owner to end
	ended chan struct{} // it has ended, and the last score is in final
	final Stats

	// Fields of the owner.
	discord   *rules.Discord
	conns     map[rules.Conn]*conn
	elsewhere int           // RESUMEs that did not use resume_gateway_url
	every     time.Duration // between two emitted events; 0: none
	emitAt    time.Time
}

// New returns a Discord that runs but does not listen so far. Close ends it.
func New(c Config) *Server {
	if c.Log == nil {
		c.Log = func(string, ...any) {}
	}
	s := &Server{
		log: c.Log, config: c.Rules, shape: c.Shape, seed: c.Seed,
		work: make(chan func(), workMax), stop: make(chan struct{}), ended: make(chan struct{}),
		discord: rules.New(c.Rules, time.Now()),
		conns:   map[rules.Conn]*conn{},
	}
	s.jitter.Store(int64(c.Jitter))
	s.every = period(c.EventsPerSecond)
	s.emitAt = time.Now().Add(s.every)
	s.http = &http.Server{
		Handler: s.routes(), MaxHeaderBytes: headerMax,
		ReadHeaderTimeout: headerWait, ReadTimeout: requestWait, WriteTimeout: requestWait, IdleTimeout: idleWait,
	}
	if c.Certificate != nil {
		s.http.TLSConfig = c.Certificate.config()
	}
	go s.own()
	return s
}

// Listen serves on addr ("127.0.0.1:0" for any free port) and returns the base of the REST
// addresses, "http://127.0.0.1:port", or https with a Certificate. Called once.
func (s *Server) Listen(addr string) (base string, err error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", fmt.Errorf("simulated discord: %w", err)
	}
	s.sockets = newSockets(l)
	if s.http.TLSConfig == nil {
		go func() { _ = s.http.Serve(s.sockets) }() // always ErrServerClosed: Close is the only end
		return "http://" + l.Addr().String(), nil
	}
	go func() { _ = s.http.ServeTLS(s.sockets, "", "") }() // the same
	return "https://" + l.Addr().String(), nil
}

// Close breaks every connection and ends the server. The score stays readable.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		_ = s.http.Close()
		if s.sockets != nil {
			s.sockets.breakAll()
		}
		close(s.stop)
		<-s.ended
		s.handlers.Wait()
	})
	return nil
}

// Score returns what Discord has seen; after Close, what it had seen.
func (s *Server) Score() rules.Score { return s.Stats().Score }

// Fault injects a fault. The error is a mistake in the fault itself.
func (s *Server) Fault(f rules.Fault) error {
	if err := f.Validate(); err != nil {
		return err
	}
	s.input(f)
	return nil
}

// Emit emits an event.
func (s *Server) Emit(e rules.Emit) { s.input(e) }

// SetJitter changes Config.Jitter for later values.
func (s *Server) SetJitter(d time.Duration) { s.jitter.Store(int64(max(d, 0))) }

// SetEventsPerSecond changes Config.EventsPerSecond.
func (s *Server) SetEventsPerSecond(n float64) {
	s.do(func() {
		s.every = period(n)
		s.emitAt = time.Now().Add(s.every)
	})
}

// period returns the time between two events at n a second; 0: none.
func period(n float64) time.Duration {
	if n <= 0 {
		return 0
	}
	return time.Duration(float64(time.Second) / min(n, eventsMax))
}

// own is the owner: the only goroutine that uses the rules.
func (s *Server) own() {
	defer close(s.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case f := <-s.work:
			f()
		case <-timer.C:
			s.passTime()
		case <-s.stop:
			s.final = s.stats()
			for _, c := range s.conns {
				c.out.put(rules.Close{Conn: c.id, Code: rules.CloseVanished})
				c.out.end()
			}
			return
		}
		timer.Reset(s.untilNext())
	}
}

// untilNext returns how long the owner may sleep.
func (s *Server) untilNext() time.Duration {
	wait := time.Hour
	if at, ok := s.discord.Next(); ok {
		wait = min(wait, time.Until(at))
	}
	if s.every > 0 {
		wait = min(wait, time.Until(s.emitAt))
	}
	return max(wait, 0)
}

// passTime handles deadlines and the event stream. A stream that fell behind does not catch up; it
// continues.
func (s *Server) passTime() {
	now := time.Now()
	s.step(now, rules.Tick{})
	if s.every > 0 && !now.Before(s.emitAt) {
		s.step(now, rules.Emit{Shard: rules.All})
		if s.emitAt = s.emitAt.Add(s.every); s.emitAt.Before(now) {
			s.emitAt = now
		}
	}
}

// step applies one input and passes the outputs to their connections. For the owner.
func (s *Server) step(now time.Time, in rules.Input) {
	for _, o := range s.discord.Step(now, in) {
		c := s.conns[o.To()]
		if c == nil {
			continue
		}
		c.out.put(o)
		switch o := o.(type) {
		case rules.Close:
			s.log("discord closed a connection", "conn", int64(c.id), "close_code", o.Code, "reason", o.Reason)
			s.forget(c.id)
		case rules.InvalidSession:
			s.log("discord invalidated a session", "conn", int64(c.id), "resumable", o.Resumable)
		}
	}
	if closed, ok := in.(rules.Closed); ok {
		s.forget(closed.Conn)
	}
}

// forget lets a connection's writer end once everything is written. For the owner.
func (s *Server) forget(id rules.Conn) {
	if c := s.conns[id]; c != nil {
		delete(s.conns, id)
		c.out.end()
	}
}

// input queues an input that arrives now.
func (s *Server) input(in rules.Input) {
	now := time.Now()
	s.do(func() { s.step(now, in) })
}

// do queues f for the owner; after Close it does nothing.
func (s *Server) do(f func()) {
	select {
	case s.work <- f:
	case <-s.ended:
	}
}

// ask has the owner run f and waits for it; false after Close.
func (s *Server) ask(f func()) bool {
	done := make(chan struct{})
	s.do(func() { f(); close(done) })
	select {
	case <-done:
		return true
	case <-s.ended:
		return false
	}
}
