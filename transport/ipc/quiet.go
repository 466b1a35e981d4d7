package ipc

import (
	"net"
	"sync/atomic"
	"syscall"
)

// quietWrite writes to a socket without ever waiting for it, which is faster than waking a writer.
// It is for a peer that has sent a frame since our last one: the peer may be waiting for an answer.
// A peer that only reads gets many frames at a time from a writer, which costs both ends less.
//
// Its zero value cannot write; the connection may not be a socket.
type quietWrite struct {
	socket syscall.RawConn
	heard  atomic.Bool // a frame of the peer, since our last one
	piece  []byte
	n      int
	try    func(fd uintptr) bool
}

// of makes it write to a connection, if that is a kernel socket.
func (q *quietWrite) of(conn net.Conn) {
	if c, ok := conn.(syscall.Conn); ok {
		q.socket, _ = c.SyscallConn() // nil where it ended already
	}
}

// may reports whether the next frame should be written at once, and records that it is.
func (q *quietWrite) may() bool { return q.socket != nil && q.heard.Swap(false) }

// write returns how many bytes of a piece the socket accepted. Errors are left to the write of the
// rest.
func (q *quietWrite) write(piece []byte) int {
	if q.try == nil {
		q.try = func(fd uintptr) bool {
			n, err := syscall.Write(int(fd), q.piece)
			if err == nil {
				q.n = n
			}
			return true // it never waits
		}
	}
	q.piece, q.n = piece, 0
	if err := q.socket.Write(q.try); err != nil {
		return 0
	}
	q.piece = nil
	return q.n
}
