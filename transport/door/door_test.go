package door

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// peer is a connection whose end a test can see.
type peer struct {
	net.Conn
	from string
}

func (p peer) RemoteAddr() net.Addr { return address(p.from) }

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) + ":1234" }

// queue is a listener with waiting connections.
type queue struct {
	net.Listener
	waiting []net.Conn
}

func (q *queue) Accept() (net.Conn, error) {
	if len(q.waiting) == 0 {
		return nil, io.EOF
	}
	next := q.waiting[0]
	q.waiting = q.waiting[1:]
	return next, nil
}

// dial connects a peer of an address, and returns both ends; nil for the inner one where it is
// closed instead.
func dial(t *testing.T, l *Listener, from string) (in *Conn, out net.Conn) {
	t.Helper()
	inner, out := net.Pipe()
	l.Listener.(*queue).waiting = []net.Conn{peer{inner, from}}
	c, err := l.Accept()
	if errors.Is(err, io.EOF) {
		return nil, out
	}
	if err != nil {
		t.Fatal(err)
	}
	return c.(*Conn), out
}

func closed(out net.Conn) bool {
	_ = out.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, err := out.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

func TestShares(t *testing.T) {
	l := Limit(&queue{}, Limits{All: 6, Each: 4, Idle: 3})
	const a, b, c = "10.0.0.1", "10.0.0.2", "10.0.0.3"
	first, firstOut := dial(t, l, a)
	_, secondOut := dial(t, l, a)
	dial(t, l, a)
	done := first.Busy()
	dial(t, l, a)
	if closed(firstOut) || closed(secondOut) {
		t.Fatal("one is closed though there is room")
	}
	dial(t, l, a) // all of its share is used up: its own oldest idle one goes
	if closed(firstOut) || !closed(secondOut) {
		t.Error("want the one closed that is idle for longest, and no busy one")
	}
	for range 2 {
		dial(t, l, b)
	}
	if l.Open() != 6 {
		t.Fatalf("%d are open", l.Open())
	}
	if in, _ := dial(t, l, c); in == nil || l.Open() != 6 {
		t.Error("a third address is kept out by the idle ones of the others")
	}
	done()
	done() // once
	for range 2 {
		dial(t, l, a)
	}
	if closed(firstOut) {
		t.Error("one that was busy a moment ago is closed before those that are idle for longer")
	}
}

func TestAllAreBusy(t *testing.T) {
	l := Limit(&queue{}, Limits{All: 2, Each: 2, Idle: 2})
	var all []*Conn
	for range 2 {
		in, _ := dial(t, l, "10.0.0.1")
		in.Busy()
		all = append(all, in)
	}
	if in, out := dial(t, l, "10.0.0.2"); in != nil || !closed(out) {
		t.Error("one too many is let in")
	}
	_ = all[0].Close()
	_ = all[0].Close() // frees one place, not two
	if in, _ := dial(t, l, "10.0.0.2"); in == nil {
		t.Error("one that ended makes no room")
	}
	if in, _ := dial(t, l, "10.0.0.2"); in == nil || l.Open() != 2 {
		t.Errorf("%d are open, want its own idle one replaced", l.Open())
	}
}
