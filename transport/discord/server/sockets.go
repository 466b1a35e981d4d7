package server

import (
	"net"
	"sync"
)

// sockets is a listener that knows its open connections: at most connectionsMax, all broken at once
// at the end, websockets included.
type sockets struct {
	net.Listener
	mu     sync.Mutex
	open   map[*socket]struct{}
	closed bool
}

// socket is one of its connections.
type socket struct {
	net.Conn
	of *sockets
}

func newSockets(l net.Listener) *sockets { return &sockets{Listener: l, open: map[*socket]struct{}{}} }

// Accept returns the next connection; one too many is closed unread.
func (s *sockets) Accept() (net.Conn, error) {
	for {
		c, err := s.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if k := (&socket{c, s}); s.add(k) {
			return k, nil
		}
		_ = c.Close() // the peer sees the end
	}
}

func (s *sockets) add(k *socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.open) >= connectionsMax {
		return false
	}
	s.open[k] = struct{}{}
	return true
}

// Close closes the connection and frees its place.
func (k *socket) Close() error {
	k.of.mu.Lock()
	delete(k.of.open, k)
	k.of.mu.Unlock()
	return k.Conn.Close()
}

// breakAll closes the listener and every connection.
func (s *sockets) breakAll() {
	_ = s.Close()
	s.mu.Lock()
	s.closed = true
	open := s.open
	s.open = map[*socket]struct{}{}
	s.mu.Unlock()
	for k := range open {
		_ = k.Conn.Close()
	}
}
