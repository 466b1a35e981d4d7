package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/door"
)

// Control is a machine as the server shows and commands it. No function blocks; what is asked may be answered from any goroutine, or never.
type Control interface {
	Look(messages.GetView)
	Follow(messages.Follow)
	Order(messages.Order)
}

// Fleet is the whole fleet as a MASTER's server shows and commands it. The same rules.
type Fleet interface {
	LookAtFleet(messages.GetFleetView)
	OrderFleet(messages.FleetOrder)
	Follow(messages.Follow)
}

// Options is how a server is reached, and by whom.
type Options struct {
	Hosts     []string                  // names, beside loopback's, that a request may be for
	Token     messages.Secret           // what a request over TCP must bear; "": nothing
	TLS       *tls.Certificate          // nil: plain HTTP
	Mailboxes func() map[string]int     // messages that wait, by the kind of actor; nil: not known
	Links     func() map[string]Traffic // by what they lead to; nil: not known

	LogsLost func() uint64 // lines that the log lost; nil: not known

	// Refused is told of who is turned away, at most once a minute; nil: nobody is.
	Refused func(messages.AdminRefused)
	// Broken is told of a panic of our own; nil: nobody is.
	Broken func(route string, err error)
}

// Traffic is what went over links of one kind since the start.
type Traffic struct{ Open, FramesIn, FramesOut, BytesIn, BytesOut, Refused int64 }

// Limits of a server. A request is small, and answered at once, but for the stream of events.
const (
	headerWithin = 5 * time.Second
	bodyWithin   = 10 * time.Second
	answerWithin = 5 * time.Second
	writeWithin  = 10 * time.Second
	idleFor      = time.Minute
	headerMax    = 16 << 10
	bodyMax      = 4 << 10
	connsMax     = 256 // over TCP, at a time
	connsEach    = 192 // of one address: a proxy may stand for many
	connsIdle    = 128 // and of these, that no request runs on
	connsLocal   = 64  // over the unix socket: these are others
	socketMax    = 107 // bytes of a unix socket's path: sun_path holds 108 with its final zero
)

// Server is one admin listener, or two. New makes it; Close ends it.
type Server struct {
	options Options
	control Control // nil: MASTER alone
	fleet   Fleet   // nil: no MASTER here
	http    http.Server
	own     func() *prometheus.Registry // of this process; made for who asks first
	over    context.CancelFunc          // ends the streams
	streams pools                       // of streams that are open
	visits  visits
	knocks  knocks

	mu      sync.Mutex
	sockets []string
	closed  bool
}

// New makes a server of a machine, of a fleet, or of both, that does not listen yet.
func New(o Options, c Control, f Fleet) *Server {
	s := &Server{options: o, control: c, fleet: f, own: sync.OnceValue(func() *prometheus.Registry { return ownRegistry(o.LogsLost) })}
	var ctx context.Context
	ctx, s.over = context.WithCancel(context.Background())
	s.http = http.Server{
		Handler:           s.guarded(s.mux()),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: headerWithin, ReadTimeout: bodyWithin, IdleTimeout: idleFor, MaxHeaderBytes: headerMax,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, door.Of(c))
		},
		ErrorLog: log.New(io.Discard, "", 0), // a client that goes away, or speaks no HTTP, is no news
	}
	return s
}

// Listen serves at address ("host:port", port 0 for any), and says where that is.
func (s *Server) Listen(address string) (at string, err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	at = l.Addr().String()
	l = door.Limit(l, door.Limits{All: connsMax, Each: connsEach, Idle: connsIdle})
	if s.options.TLS != nil {
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*s.options.TLS}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
	}
	s.serve(l)
	return at, nil
}

// ListenUnix serves at a unix socket that is its owner's alone (0600), in place of a stale one. Who gives out the path sees to it that no other server is there.
func (s *Server) ListenUnix(path string) error {
	if len(path) > socketMax {
		return fmt.Errorf("socket %s: its path has %d bytes, the limit is %d", path, len(path), socketMax)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("socket %s: something else lies there", path)
	}
	young := path + "~" // nobody dials it before it is 0600
	if len(young) > socketMax {
		young = path
	}
	for _, stale := range []string{young, path} {
		if err := os.Remove(stale); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: young, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(young, 0o600), os.Rename(young, path)); err != nil {
		_ = l.Close()
		return err
	}
	s.mu.Lock()
	s.sockets = append(s.sockets, path)
	s.mu.Unlock()
	s.serve(door.Limit(l, door.Limits{All: connsLocal, Each: connsLocal, Idle: connsLocal}))
	return nil
}

// connKey is where a request's context has its connection.
type connKey struct{}

func (s *Server) serve(l net.Listener) { go s.http.Serve(l) }

// Close ends every listener, connection and stream, and removes the sockets.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.over()
	_ = s.http.Close()
	for _, path := range s.sockets {
		_ = os.Remove(path) // one that is left is replaced
	}
}

// errNoAnswer is the answer of a CONTROL whose actors are stuck, or gone.
var errNoAnswer = errors.New("CONTROL does not answer: it is stopping, or stuck")

// look asks how the machine stands.
func (s *Server) look(ctx context.Context) (messages.View, error) {
	return ask(ctx, func(answer func(messages.View)) { s.control.Look(messages.GetView{Answer: answer}) })
}

// lookAtFleet asks how the fleet stands.
func (s *Server) lookAtFleet(ctx context.Context) (messages.FleetView, error) {
	return ask(ctx, func(answer func(messages.FleetView)) { s.fleet.LookAtFleet(messages.GetFleetView{Answer: answer}) })
}

// follow follows the events of the machine, or of MASTER where there is none.
func (s *Server) follow(f messages.Follow) {
	if s.control != nil {
		s.control.Follow(f)
	} else {
		s.fleet.Follow(f)
	}
}

// ask waits for the one answer to a question.
func ask[T any](ctx context.Context, question func(answer func(T))) (answer T, err error) {
	answers := make(chan T, 1)
	question(func(a T) { answers <- a })
	late := time.NewTimer(answerWithin)
	defer late.Stop()
	select {
	case answer = <-answers:
		return answer, nil
	case <-ctx.Done():
		return answer, ctx.Err()
	case <-late.C:
		return answer, errNoAnswer
	}
}
