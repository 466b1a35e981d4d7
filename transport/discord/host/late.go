package host

import (
	"net"
	"sync"
)

// late is a listener that accepts nothing before a channel is closed: until then connections wait
// in the kernel. A bot that outlived the host before would find no session.
type late struct {
	net.Listener
	until  <-chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newLate(l net.Listener, until <-chan struct{}) *late {
	return &late{Listener: l, until: until, closed: make(chan struct{})}
}

// Accept waits for the channel, then for a connection.
func (l *late) Accept() (net.Conn, error) {
	select {
	case <-l.until:
		return l.Listener.Accept()
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends the listener.
func (l *late) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}
