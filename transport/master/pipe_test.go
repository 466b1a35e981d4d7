package master

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// pipeBuffer is the number of bytes that a pipe holds each way, like a socket's buffers: net.Pipe
// holds none, and its writers would wait where TCP's do not.
const pipeBuffer = 64 << 10

// memory is a network of one listener inside a bubble: everything in it waits on a sync.Cond or a
// channel of the bubble.
type memory struct {
	arriving chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func newMemory() *memory { return &memory{arriving: make(chan net.Conn), closed: make(chan struct{})} }

func (m *memory) Accept() (net.Conn, error) {
	select {
	case conn := <-m.arriving:
		return conn, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

func (m *memory) Addr() net.Addr { return memoryAddr{} }

func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := newPipe()
	select {
	case m.arriving <- there:
		return here, nil
	case <-m.closed:
		return nil, &net.OpError{Op: "dial", Net: "memory", Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "memory" }

// newPipe makes the two ends of a connection.
func newPipe() (a, b net.Conn) {
	there, back := newStream(), newStream()
	return &pipe{in: back, out: there}, &pipe{in: there, out: back}
}

type pipe struct{ in, out *stream }

func (p *pipe) Read(b []byte) (int, error)         { return p.in.read(b) }
func (p *pipe) Write(b []byte) (int, error)        { return p.out.write(b) }
func (p *pipe) LocalAddr() net.Addr                { return memoryAddr{} }
func (p *pipe) RemoteAddr() net.Addr               { return memoryAddr{} }
func (p *pipe) SetReadDeadline(t time.Time) error  { return p.in.setDeadline(&p.in.reader, t) }
func (p *pipe) SetWriteDeadline(t time.Time) error { return p.out.setDeadline(&p.out.writer, t) }
func (p *pipe) SetDeadline(t time.Time) error {
	return errors.Join(p.SetReadDeadline(t), p.SetWriteDeadline(t))
}

func (p *pipe) Close() error {
	p.in.leave(&p.in.reader)
	p.out.leave(&p.out.writer)
	return nil
}

// stream is one direction of a connection.
type stream struct {
	mu             sync.Mutex
	changed        *sync.Cond
	held           []byte
	reader, writer side
}

// side is one user of a stream.
type side struct {
	gone     bool
	deadline time.Time
	timer    *time.Timer
}

func (s *side) late() bool { return !s.deadline.IsZero() && !time.Now().Before(s.deadline) }

func newStream() *stream {
	s := &stream{}
	s.changed = sync.NewCond(&s.mu)
	return s
}

func (s *stream) read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.reader.gone:
			return 0, net.ErrClosed
		case s.reader.late():
			return 0, os.ErrDeadlineExceeded
		case len(s.held) > 0:
			n := copy(b, s.held)
			s.held = s.held[n:]
			s.changed.Broadcast()
			return n, nil
		case s.writer.gone:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

func (s *stream) write(b []byte) (written int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(b) > 0 {
		switch room := pipeBuffer - len(s.held); {
		case s.writer.gone:
			return written, net.ErrClosed
		case s.reader.gone:
			return written, syscall.EPIPE
		case s.writer.late():
			return written, os.ErrDeadlineExceeded
		case room > 0:
			n := min(room, len(b))
			s.held = append(s.held, b[:n]...)
			b, written = b[n:], written+n
			s.changed.Broadcast()
		default:
			s.changed.Wait()
		}
	}
	return written, nil
}

func (s *stream) setDeadline(of *side, t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if of.timer != nil {
		of.timer.Stop()
	}
	of.deadline = t
	if !t.IsZero() {
		of.timer = time.AfterFunc(time.Until(t), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.changed.Broadcast()
		})
	}
	return nil
}

func (s *stream) leave(one *side) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one.gone = true
	if one.timer != nil {
		one.timer.Stop()
	}
	s.changed.Broadcast()
}
