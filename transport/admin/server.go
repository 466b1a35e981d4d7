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
	"github.com/discluster/control/transport/proc"
)

// Control is the machine that the server shows and commands. No method blocks; answers may come on
// any goroutine, or never.
type Control interface {
	GetView(messages.GetView)
	Follow(messages.Follow)
	Order(messages.Order)
	Ask(messages.Ask)
}

// Fleet is the whole fleet that a MASTER's server shows and commands, by the same rules.
type Fleet interface {
	GetFleetView(messages.GetFleetView)
	OrderFleet(messages.FleetOrder)
	Follow(messages.Follow)
}

// Options configure access to a server.
type Options struct {
	Hosts     []string                  // host names, beside loopback's, that a request may use
	Token     messages.Secret           // required of a request over TCP; "": none
	TLS       *tls.Certificate          // nil: plain HTTP
	Mailboxes func() map[string]int     // waiting messages, by the kind of actor; nil: unknown
	Links     func() map[string]Traffic // by their far end; nil: unknown

	LogsLost func() uint64 // lines that the log lost; nil: unknown

	// Clean removes secrets from a text of a bot; nil: it stays as it is.
	Clean func(text string) string

	// Refused is called for rejected requests, at most once a minute; nil: not called.
	Refused func(messages.AdminRefused)
	// Broken is called for a panic of CONTROL's own code; nil: not called.
	Broken func(route string, err error)
}

// Traffic counts what passed over links of one kind since the start.
type Traffic struct{ Open, FramesIn, FramesOut, BytesIn, BytesOut, Refused int64 }

// Limits of a server. A request is small, and answered at once, except for the stream of events.
const (
	headerWithin = 5 * time.Second
	bodyWithin   = 10 * time.Second
	answerWithin = 5 * time.Second
	writeWithin  = 10 * time.Second
	idleFor      = time.Minute
	headerMax    = 16 << 10
	bodyMax      = 4 << 10
	connsMax     = 256 // over TCP, at a time
	connsEach    = 192 // of one address: a proxy may serve many clients
	connsIdle    = 128 // and of these, without a running request
	connsLocal   = 64  // over the unix socket, counted apart
)

// Server is one admin listener, or two. New makes it; Close ends it.
type Server struct {
	options    Options
	control    Control // nil: MASTER alone
	fleet      Fleet   // nil: no MASTER here
	http       http.Server
	own        func() *prometheus.Registry // of this process; made for the first request
	over       context.CancelFunc          // ends the streams
	streams    pools                       // open ones
	usages     usages
	visits     visits
	rejections rejections

	mu      sync.Mutex
	sockets []string
	closed  bool
}

// New makes a server of a machine, of a fleet, or of both. It does not listen so far.
func New(o Options, c Control, f Fleet) *Server {
	s := &Server{options: o, control: c, fleet: f, usages: usages{ask: proc.Usage}, own: sync.OnceValue(func() *prometheus.Registry { return ownRegistry(o.LogsLost) })}
	var ctx context.Context
	ctx, s.over = context.WithCancel(context.Background())
	s.http = http.Server{
		Handler:           s.guarded(s.mux()),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: headerWithin, ReadTimeout: bodyWithin, IdleTimeout: idleFor, MaxHeaderBytes: headerMax,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, door.Of(c))
		},
		// a client that disconnects, or speaks no HTTP, is not reported
		ErrorLog: log.New(io.Discard, "", 0),
	}
	return s
}

// Listen serves at address ("host:port", port 0 for any), and returns the address in use.
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

// ListenUnix serves at a unix socket that is its owner's alone (0600), and replaces a stale one.
// The caller ensures that no other server uses the path.
func (s *Server) ListenUnix(path string) error {
	if len(path) > messages.SocketMax {
		return fmt.Errorf("socket %s: its path has %d bytes, the limit is %d", path, len(path), messages.SocketMax)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("socket %s: the path exists and is not a socket", path)
	}
	young := path + "~" // no client can dial it before it is 0600
	if len(young) > messages.SocketMax {
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

// connKey is the key of a request's connection in its context.
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

// errNoAnswer is the error of a CONTROL whose actors are stuck, or gone.
var errNoAnswer = errors.New("CONTROL does not answer: it is stopping, or stuck")

// machineView gets the view of the machine.
func (s *Server) machineView(ctx context.Context) (messages.View, error) {
	return ask(ctx, func(answer func(messages.View)) { s.control.GetView(messages.GetView{Answer: answer}) })
}

// fleetView gets the view of the fleet.
func (s *Server) fleetView(ctx context.Context) (messages.FleetView, error) {
	return ask(ctx, func(answer func(messages.FleetView)) { s.fleet.GetFleetView(messages.GetFleetView{Answer: answer}) })
}

// follow follows the events of the machine, or of MASTER without one.
func (s *Server) follow(f messages.Follow) {
	if s.control != nil {
		s.control.Follow(f)
	} else {
		s.fleet.Follow(f)
	}
}

// ask sends a question and waits for its one answer.
func ask[T any](ctx context.Context, question func(answer func(T))) (answer T, err error) {
	return askWithin(ctx, answerWithin, question)
}

// askWithin is ask with another limit.
func askWithin[T any](ctx context.Context, within time.Duration, question func(answer func(T))) (answer T, err error) {
	answers := make(chan T, 1)
	question(func(a T) { answers <- a })
	late := time.NewTimer(within)
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
