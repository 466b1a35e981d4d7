// Package door limits the connections that a listener holds, so that no peer can shut others out by
// holding many.
//
// A connection is idle until its owner marks it as busy. Where there is no room for a new one, the
// one that was idle longest is closed in its place: the new one may be the operator's. Only when
// all are busy is the new one closed.
package door

import (
	"net"
	"net/netip"
	"slices"
	"sync"
)

// Limits are the maximum numbers of open connections.
type Limits struct {
	All  int // of all peers
	Each int // of one remote address
	Idle int // of one remote address, and idle
}

// Listener is a listener within limits.
type Listener struct {
	net.Listener
	limits Limits

	mu   sync.Mutex
	open []*Conn // longest idle first
}

// Limit wraps a listener with limits.
func Limit(l net.Listener, limits Limits) *Listener { return &Listener{Listener: l, limits: limits} }

// Accept waits for the next connection for which there is room. It is a *Conn.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &Conn{Conn: conn, door: l, from: addressOf(conn)}
		if l.admit(c) {
			return c, nil
		}
		_ = conn.Close()
	}
}

// admit adds a connection, in place of an idle one where there is no room, and reports whether it
// did.
func (l *Listener) admit(c *Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	all, idle := 0, 0
	for _, o := range l.open {
		if o.from == c.from {
			all++
			if o.busy == 0 {
				idle++
			}
		}
	}
	room := true
	switch {
	case all >= l.limits.Each, idle >= l.limits.Idle:
		room = l.evict(func(o *Conn) bool { return o.from == c.from })
	case len(l.open) >= l.limits.All:
		room = l.evict(func(*Conn) bool { return true })
	}
	if room {
		l.open = append(l.open, c)
	}
	return room
}

// evict closes the connection that was idle longest among those that may be closed, and reports
// whether there was one. mu is held.
func (l *Listener) evict(may func(*Conn) bool) bool {
	i := slices.IndexFunc(l.open, func(o *Conn) bool { return o.busy == 0 && may(o) })
	if i < 0 {
		return false
	}
	_ = l.open[i].Conn.Close()
	l.open = slices.Delete(l.open, i, i+1)
	return true
}

// forget frees the place of a connection.
func (l *Listener) forget(c *Conn) {
	if i := slices.Index(l.open, c); i >= 0 {
		l.open = slices.Delete(l.open, i, i+1)
	}
}

// Open returns the number of open connections.
func (l *Listener) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

// Conn is a connection that a Listener accepted.
type Conn struct {
	net.Conn
	door *Listener
	from netip.Addr
	busy int
}

// Busy prevents that the connection is closed for another, until done is called.
func (c *Conn) Busy() (done func()) {
	c.mark(1)
	return sync.OnceFunc(func() { c.mark(-1) })
}

func (c *Conn) mark(n int) {
	c.door.mu.Lock()
	defer c.door.mu.Unlock()
	c.busy += n
	// idle from now on: the others were idle longer
	if i := slices.Index(c.door.open, c); i >= 0 && c.busy == 0 {
		c.door.open = append(slices.Delete(c.door.open, i, i+1), c)
	}
}

// Close also frees the place of the connection.
func (c *Conn) Close() error {
	c.door.mu.Lock()
	c.door.forget(c)
	c.door.mu.Unlock()
	return c.Conn.Close()
}

// Of returns the Conn below a connection, such as that of TLS; nil where there is none.
func Of(conn net.Conn) *Conn {
	for {
		switch c := conn.(type) {
		case *Conn:
			return c
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}

// addressOf returns the address of a peer, without its port; the zero address for a unix socket.
func addressOf(conn net.Conn) netip.Addr {
	at, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
	return at.Addr().Unmap()
}
