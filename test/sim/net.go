package sim

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/discluster/control/transport"
)

// deadAfter is the time until both ends of a cut link notice (PROTOCOL B1, Clocks: dead after 10 s
// of silence).
const deadAfter = 10 * time.Second

// resendEvery is the pause after which a frame that met a cut is sent again, as TCP does.
const resendEvery = 200 * time.Millisecond

// frameMax is the longest frame in bytes, as of a cluster socket (PROTOCOL B2); a longer one ends
// its link.
const frameMax = 8 << 20

// Net carries whole frames between named places: machines, "discord", "master".
type Net struct {
	// Latency is drawn for each frame and each direction between two places. Within a place it is a
	// millisecond at most.
	Latency func() time.Duration
	// Dialled is called for every dial; nil: never.
	Dialled func(from, address string)

	loop      *Loop
	listeners map[string]listener
	cuts      map[[2]string]bool
	links     []*pair
}

type listener struct {
	place  string
	accept func(transport.Link, transport.Greeting)
}

// NewNet returns a net whose links have a latency of 0 to jitter, drawn for each frame.
func NewNet(l *Loop, jitter time.Duration) *Net {
	n := &Net{loop: l, listeners: map[string]listener{}, cuts: map[[2]string]bool{}}
	n.Latency = func() time.Duration { return time.Duration(l.rand.Int64N(int64(jitter) + 1)) }
	return n
}

// Listen accepts every link dialled to address until stop.
func (n *Net) Listen(place, address string, accept func(transport.Link, transport.Greeting)) (stop func(), err error) {
	if _, taken := n.listeners[address]; taken {
		return nil, fmt.Errorf("listen on %s: address in use", address)
	}
	n.listeners[address] = listener{place, accept}
	return func() { delete(n.listeners, address) }, nil
}

// Dial opens a link from a place to an address. cancel closes one whose Receive was never called.
func (n *Net) Dial(from, address string, greeting transport.Greeting, done func(transport.Link, error)) (cancel func()) {
	if n.Dialled != nil {
		n.Dialled(from, address)
	}
	var dialled *end
	cancelled := false
	n.loop.After(n.delay(from, n.listeners[address].place), func() {
		if cancelled {
			return
		}
		to, listening := n.listeners[address]
		if !listening || n.isCut(from, to.place) {
			done(nil, fmt.Errorf("dial %s: %w", address, syscall.ECONNREFUSED))
			return
		}
		here, there := n.pair(from, to.place)
		dialled = here
		to.accept(there, greeting)
		done(here, nil)
	})
	return func() {
		cancelled = true
		if dialled != nil && !dialled.receiving {
			dialled.Close(0, "")
		}
	}
}

// Cut stops every frame between two places, both ways, until Heal.
func (n *Net) Cut(a, b string) {
	n.cuts[key(a, b)] = true
	for _, p := range n.links {
		if key(p.ends[0].place, p.ends[1].place) == key(a, b) {
			n.loop.After(deadAfter, func() {
				if n.isCut(a, b) {
					p.end(errors.New("no sign of life for 10s"))
				}
			})
		}
	}
}

// Drop ends every link between two places at once, as a restarted router does; new ones can be
// dialled.
func (n *Net) Drop(a, b string) {
	for _, p := range n.links {
		if key(p.ends[0].place, p.ends[1].place) == key(a, b) && !p.ended {
			p.end(errors.New("connection reset by peer"))
		}
	}
}

// Heal ends a Cut.
func (n *Net) Heal(a, b string) { delete(n.cuts, key(a, b)) }

// Links returns the number of open links between two places: those that neither end has closed.
func (n *Net) Links(a, b string) int {
	open := 0
	for _, p := range n.links {
		if !p.ended && !p.ends[0].over && !p.ends[1].over && key(p.ends[0].place, p.ends[1].place) == key(a, b) {
			open++
		}
	}
	return open
}

func (n *Net) isCut(a, b string) bool { return n.cuts[key(a, b)] }

func key(a, b string) [2]string { return [2]string{min(a, b), max(a, b)} }

func (n *Net) delay(a, b string) time.Duration {
	if a == b {
		return time.Duration(n.loop.rand.Int64N(int64(time.Millisecond)))
	}
	return n.Latency()
}

// pair returns both ends of a new link between two places.
func (n *Net) pair(a, b string) (*end, *end) {
	p := &pair{net: n}
	p.ends = [2]*end{{pair: p, place: a, window: transport.Window}, {pair: p, place: b, window: transport.Window}}
	p.ends[0].peer, p.ends[1].peer = p.ends[1], p.ends[0]
	n.links = append(slices.DeleteFunc(n.links, func(p *pair) bool { return p.ended }), p)
	return p.ends[0], p.ends[1]
}

type pair struct {
	net   *Net
	ends  [2]*end
	ended bool
}

// end ends the link for both sides at once.
func (p *pair) end(err error) {
	p.ended = true
	for _, e := range p.ends {
		e.finish(err)
	}
}

// end is one end of a link; it implements transport.Link.
type end struct {
	*pair
	place     string
	peer      *end
	frame     func([]byte)
	closed    func(error)
	receiving bool
	window    int
	backlog   [][]byte // arrived, not delivered
	// frames to it that met a cut, and those behind them; nil: the sender's end
	stuck         [][]byte
	waiting       int // bytes sent to this end, not delivered
	arrival       time.Time
	over          bool
	reason        error
	closeReported bool
}

func (e *end) Receive(frame func([]byte), closed func(error)) {
	e.frame, e.closed, e.receiving = frame, closed, true
	e.net.loop.After(0, e.deliver)
}

func (e *end) Ack() {
	e.window++
	if e.window > transport.Window {
		e.net.loop.Fail(fmt.Errorf("link at %s: more frames taken than delivered", e.place))
	}
	if len(e.backlog) > 0 {
		e.net.loop.After(0, e.deliver)
	}
}

func (e *end) Send(frame []byte) error {
	if (e.place == "master" || e.peer.place == "master") && len(frame) > 1<<20 {
		return fmt.Errorf("send %d bytes, over %d: %w", len(frame), 1<<20, transport.ErrTooLarge)
	}
	if e.over {
		return transport.ErrEnded
	}
	e.travel(bytes.Clone(frame))
	return nil
}

// offeredMost bounds the bytes that wait for an end that Offer adds to, as in transport's links.
const offeredMost = 4 << 20

func (e *end) Offer(frame []byte) error {
	if w := e.peer.waiting; !e.over && w > 0 && w+len(frame) > offeredMost {
		return fmt.Errorf("send: %d bytes are waiting: %w", w, transport.ErrBusy)
	}
	return e.Send(frame)
}

// travel brings one frame to the peer, in order, delayed by latency and cuts.
func (e *end) travel(frame []byte) {
	e.peer.waiting += len(frame)
	at := time.Now().Add(e.net.delay(e.place, e.peer.place))
	if at.Before(e.peer.arrival) {
		at = e.peer.arrival
	}
	e.peer.arrival = at
	e.net.loop.After(time.Until(at), func() {
		cut := e.net.isCut(e.place, e.peer.place)
		switch behind := len(e.peer.stuck) > 0; {
		case e.ended || e.peer.over:
		case cut || behind:
			e.peer.stuck = append(e.peer.stuck, frame)
			if !behind {
				e.net.loop.After(resendEvery, e.resend)
			}
		default:
			e.arrive(frame)
		}
	})
}

// resend sends all stuck frames again, in order.
func (e *end) resend() {
	if !e.ended && !e.peer.over && e.net.isCut(e.place, e.peer.place) {
		e.net.loop.After(resendEvery, e.resend)
		return
	}
	stuck := e.peer.stuck
	e.peer.stuck = nil
	for _, frame := range stuck {
		e.arrive(frame)
	}
}

// arrive delivers a frame, or the sender's end, to the peer.
func (e *end) arrive(frame []byte) {
	switch {
	case e.ended || e.peer.over:
	case frame == nil:
		e.peer.finish(e.reason)
	case len(frame) > frameMax:
		e.pair.end(fmt.Errorf("%d bytes, limit %d: %w", len(frame), frameMax, transport.ErrTooLarge))
	default:
		e.peer.backlog = append(e.peer.backlog, frame)
		e.peer.deliver()
	}
}

// Close closes the link after the frames that are under way.
func (e *end) Close(code int, reason string) {
	if e.over {
		return
	}
	if code == 0 {
		code = 1000
	}
	e.reason = &transport.CloseError{Code: code, Reason: reason}
	e.travel(nil)
	e.finish(e.reason)
}

func (e *end) deliver() {
	for e.receiving && e.window > 0 && len(e.backlog) > 0 {
		var frame []byte
		frame, e.backlog = first(e.backlog)
		e.window--
		e.waiting -= len(frame)
		e.frame(frame)
	}
	if e.over && e.receiving && !e.closeReported && len(e.backlog) == 0 {
		e.closeReported = true
		e.closed(e.reason)
	}
}

func (e *end) finish(err error) {
	if e.over {
		return
	}
	e.over, e.reason = true, err
	e.net.loop.After(0, e.deliver)
}
