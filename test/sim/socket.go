package sim

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// This file is the loopback interface of a Host, for guests: streams of bytes between two
// processes. What a stopped process writes comes out when it goes on, and it reads nothing; the
// streams of a dead one end.

// socketMax bounds the bytes that wait for a reader; then the writer waits, too.
const socketMax = 64 << 10

// flow is one direction of a stream.
type flow struct {
	mu      sync.Mutex
	moved   *sync.Cond
	bytes   []byte // to be read
	hidden  []byte // written by a process that is stopped
	stopped bool   // the writer is
	still   bool   // the reader is
	ended   bool   // by the writer
	deaf    bool   // the reader has closed its end
	reading deadline
	writing deadline
}

// deadline wakes those who wait.
type deadline struct {
	timer *time.Timer
	over  bool
}

func newFlow() *flow {
	f := &flow{}
	f.moved = sync.NewCond(&f.mu)
	return f
}

// change changes a flow and wakes those who wait for that.
func (f *flow) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	f.moved.Broadcast()
}

func (f *flow) set(d *deadline, at time.Time) {
	f.change(func() {
		if d.timer != nil {
			d.timer.Stop()
		}
		if d.timer, d.over = nil, !at.IsZero() && !time.Now().Before(at); at.IsZero() || d.over {
			return
		}
		var timer *time.Timer
		timer = time.AfterFunc(time.Until(at), func() {
			f.change(func() { d.over = d.over || d.timer == timer })
		})
		d.timer = timer
	})
}

// Socket is one end of a stream; it implements net.Conn.
type Socket struct {
	in, out *flow
	at, to  net.Addr
}

// stream returns both ends of a new stream.
func stream(a, b net.Addr) (*Socket, *Socket) {
	there, back := newFlow(), newFlow()
	return &Socket{in: back, out: there, at: a, to: b}, &Socket{in: there, out: back, at: b, to: a}
}

func (s *Socket) Read(p []byte) (int, error) {
	f := s.in
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.deaf:
			return 0, net.ErrClosed
		case f.reading.over:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case len(f.bytes) > 0 && !f.still:
			n := copy(p, f.bytes)
			f.bytes = f.bytes[n:]
			f.moved.Broadcast()
			return n, nil
		case f.ended && !f.still:
			return 0, io.EOF
		}
		f.moved.Wait()
	}
}

func (s *Socket) Write(p []byte) (n int, err error) {
	f := s.out
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.ended:
			return n, net.ErrClosed
		case f.deaf:
			return n, syscall.EPIPE
		case f.writing.over:
			return n, os.ErrDeadlineExceeded
		case f.stopped:
			f.hidden = append(f.hidden, p...)
			return n + len(p), nil
		case len(f.bytes) < socketMax:
			k := min(socketMax-len(f.bytes), len(p))
			f.bytes = append(f.bytes, p[:k]...)
			f.moved.Broadcast()
			if p, n = p[k:], n+k; len(p) == 0 {
				return n, nil
			}
		}
		f.moved.Wait()
	}
}

// Close ends both directions; what was written can still be read.
func (s *Socket) Close() error {
	s.in.change(func() { s.in.deaf = true })
	s.out.change(func() { s.out.ended = true })
	s.in.set(&s.in.reading, time.Time{})
	s.out.set(&s.out.writing, time.Time{})
	return nil
}

// pause stops its process, or lets it go on.
func (s *Socket) pause(stopped bool) {
	s.in.change(func() { s.in.still = stopped })
	s.out.change(func() {
		if s.out.stopped = stopped; !stopped {
			s.out.bytes, s.out.hidden = append(s.out.bytes, s.out.hidden...), nil
		}
	})
}

// over reports whether it was closed.
func (s *Socket) over() bool {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.ended
}

func (s *Socket) LocalAddr() net.Addr                { return s.at }
func (s *Socket) RemoteAddr() net.Addr               { return s.to }
func (s *Socket) SetReadDeadline(t time.Time) error  { s.in.set(&s.in.reading, t); return nil }
func (s *Socket) SetWriteDeadline(t time.Time) error { s.out.set(&s.out.writing, t); return nil }

// SetDeadline sets both.
func (s *Socket) SetDeadline(t time.Time) error {
	_ = s.SetReadDeadline(t)
	return s.SetWriteDeadline(t)
}

// keeps adds a socket to those of a process. It is called in a step of that process.
func (p *Proc) keeps(s *Socket) {
	p.sockets = append(slices.DeleteFunc(p.sockets, (*Socket).over), s)
	if p.stopped || p.Host.starved {
		s.pause(true)
	}
}

// pause stops the process's sockets, or lets them go on.
func (p *Proc) pause(stopped bool) {
	for _, s := range p.sockets {
		s.pause(stopped)
	}
}

// Port is a listener of a process; it implements net.Listener.
type Port struct {
	addr *net.TCPAddr
	proc *Proc

	mu     sync.Mutex
	wake   *sync.Cond
	come   []net.Conn
	closed bool
}

// loopback returns an address of the loopback interface.
func loopback(port int) *net.TCPAddr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }

// Port opens a free port, or a given one above 0, which another process may have.
func (p *Proc) Port(number int) (*Port, error) {
	h := p.Host
	if number == 0 {
		h.port++
		number = 40000 + h.port
	}
	if h.ports[number] != nil {
		return nil, fmt.Errorf("listen on port %d: %w", number, syscall.EADDRINUSE)
	}
	l := &Port{addr: loopback(number), proc: p}
	l.wake = sync.NewCond(&l.mu)
	h.ports[number] = l
	p.stops = append(p.stops, func() {
		_ = l.Close()
		delete(h.ports, number)
	})
	return l, nil
}

// Connect opens a stream to a port of this host, if a process listens there.
func (p *Proc) Connect(number int, done func(net.Conn, error)) {
	p.Host.loop.After(p.Host.net.delay(p.Host.Name, p.Host.Name), func() {
		p.Do(func() {
			l := p.Host.ports[number]
			if l == nil || l.isClosed() {
				done(nil, fmt.Errorf("connect to port %d: %w", number, syscall.ECONNREFUSED))
				return
			}
			here, there := stream(loopback(0), l.addr)
			p.keeps(here)
			l.proc.keeps(there)
			l.offer(there)
			done(here, nil)
		})
	})
}

func (l *Port) offer(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.come = append(l.come, c)
	l.wake.Broadcast()
}

func (l *Port) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// Accept waits for the next stream.
func (l *Port) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed && len(l.come) == 0 {
		l.wake.Wait()
	}
	if l.closed {
		return nil, net.ErrClosed
	}
	c := l.come[0]
	l.come = l.come[1:]
	return c, nil
}

// Close ends the listener.
func (l *Port) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, c := range l.come {
		_ = c.Close()
	}
	l.come = nil
	l.wake.Broadcast()
	return nil
}

// Addr returns its address.
func (l *Port) Addr() net.Addr { return l.addr }
