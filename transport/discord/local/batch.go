package local

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/discluster/control/transport/door"
)

// batch is a connection whose writes can be collected: a burst of events costs one system call.
type batch struct {
	net.Conn
	mu  sync.Mutex
	on  bool
	buf []byte
	err error // of the last write: the next one returns it
	// called when a write had to wait for the peer, which has read since
	waited func()
}

const (
	batchMax = 64 << 10 // bytes that are collected
	sendMax  = 64 << 10 // bytes that the kernel holds for a peer that does not read
	waitLong = 5 * time.Millisecond
)

// batching is a listener of such connections.
type batching struct{ net.Listener }

func (l *batching) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &batch{Conn: c}, nil
}

func (b *batch) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.on || b.err != nil {
		if b.err != nil {
			return 0, b.err
		}
		return b.Conn.Write(p)
	}
	b.buf = append(b.buf, p...)
	if len(b.buf) >= batchMax {
		b.flush()
	}
	return len(p), b.err
}

// start collects writes from now on. waited is called when one had to wait for the peer: what it
// answers is then behind what it has to read first, and that it reads shows that it lives.
func (b *batch) start(waited func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.on, b.waited = true, waited
	if c, ok := b.Conn.(*door.Conn); ok {
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			_ = tcp.SetWriteBuffer(sendMax) // with the system's it only takes longer
		}
	}
}

// Flush writes what was collected.
func (b *batch) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flush()
	return b.err
}

func (b *batch) flush() {
	if b.err == nil && len(b.buf) > 0 {
		began := time.Now()
		if _, b.err = b.Conn.Write(b.buf); b.err == nil && time.Since(began) > waitLong {
			b.waited()
		}
	}
	if b.buf = b.buf[:0]; cap(b.buf) > 4*batchMax { // a large guild went through
		b.buf = nil
	}
}

type connKey struct{}

// keepConn keeps a request's connection for busy.
func keepConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// busy marks that a request's connection is in use, until the returned function is called.
func busy(r *http.Request) func() {
	if b, ok := r.Context().Value(connKey{}).(*batch); ok {
		return b.busy()
	}
	return func() {}
}

// busy prevents that the connection is closed for another one, until the returned function is
// called.
func (b *batch) busy() func() {
	if c, ok := b.Conn.(*door.Conn); ok {
		return c.Busy()
	}
	return func() {}
}
