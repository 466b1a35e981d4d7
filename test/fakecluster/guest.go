package fakecluster

import (
	"context"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport"
	sdk "github.com/discluster/control/transport/bot"
)

// guest is a process whose program is real code, on goroutines beside the loop.
type guest struct {
	p    *sim.Proc
	ctx  context.Context // ends with the process
	end  context.CancelFunc
	term chan os.Signal
}

func newGuest(p *sim.Proc) *guest {
	p.Host.Invite()
	g := &guest{p: p, term: make(chan os.Signal, 1)}
	g.ctx, g.end = context.WithCancel(context.Background())
	p.OnSignal = func(sig syscall.Signal) {
		select {
		case g.term <- sig:
		default:
		}
	}
	p.OnEnd = g.end
	return g
}

// machine is the guest's, for the SDK.
func (g *guest) machine() sdk.Machine {
	return sdk.Machine{
		Lookup:  func(name string) (string, bool) { v := g.p.Env(name); return v, v != "" },
		Listen:  g.listen,
		Wall:    g.p.Wall,
		Uptime:  g.p.Host.Uptime,
		Signals: func() (<-chan os.Signal, func()) { return g.term, func() {} },
	}
}

// do makes fn a step of the loop, as the process: dropped after its end, delayed while it is
// stopped.
func (g *guest) do(fn func()) { g.p.Post(fn) }

// result holds the outcome of a step.
type result[T any] struct {
	value T
	err   error
}

// await makes ask a step of the loop, and waits for what it brings, or for ctx.
func await[T any](ctx context.Context, g *guest, ask func(done func(T, error))) (T, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(g.ctx, cancel)()
	come := make(chan result[T], 1)
	g.do(func() { ask(func(v T, err error) { come <- result[T]{v, err} }) })
	select {
	case r := <-come:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// connect opens a stream to a port of this machine.
func (g *guest) connect(ctx context.Context, port int) (net.Conn, error) {
	return await(ctx, g, func(done func(net.Conn, error)) { g.p.Connect(port, done) })
}

func (g *guest) listen(path string, accept func(transport.Link)) (stop func(), err error) {
	var unlisten func()
	g.do(func() {
		// No other process of this machine has its socket.
		unlisten, _ = g.p.Listen(path, func(l transport.Link) { accept(&guestLink{of: g, link: l}) })
	})
	return func() { g.do(func() { unlisten() }) }, nil
}

// guestLink is a link whose end is used by goroutines beside the loop.
type guestLink struct {
	of   *guest
	link transport.Link

	mu    sync.Mutex
	ended bool
}

func (l *guestLink) Receive(frame func([]byte), closed func(error)) {
	l.of.do(func() {
		l.link.Receive(
			func(b []byte) { l.of.p.Do(func() { frame(b) }) },
			func(err error) {
				l.mu.Lock()
				l.ended = true
				l.mu.Unlock()
				l.of.p.Do(func() { closed(err) })
			})
	})
}

func (l *guestLink) Ack() { l.of.do(l.link.Ack) }

func (l *guestLink) Send(frame []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return transport.ErrEnded
	}
	l.of.do(func() { _ = l.link.Send(frame) }) // closed reports that the link has ended
	return nil
}

func (l *guestLink) Offer(frame []byte) error { return l.Send(append([]byte(nil), frame...)) }

func (l *guestLink) Close(code int, reason string) {
	l.of.do(func() { l.link.Close(code, reason) })
}
