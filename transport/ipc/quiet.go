package ipc

import (
	"net"
	"sync/atomic"
	"syscall"
)

// quietWrite writes to a socket without ever waiting for it, which is quicker than to wake a writer. That is for a peer who has spoken since we did: he may be waiting for us.
// Who only listens gets many frames at a time from a writer, which costs both of us less.
//
// Its zero value cannot write, and what it is made of may not be a socket either.
type quietWrite struct {
	socket syscall.RawConn
	heard  atomic.Bool // the peer, since the last frame for him
	piece  []byte
	n      int
	try    func(fd uintptr) bool
}

// of makes it write to a connection, where that is one of the kernel's.
func (q *quietWrite) of(conn net.Conn) {
	if c, ok := conn.(syscall.Conn); ok {
		q.socket, _ = c.SyscallConn() // nil where it ended already
	}
}

// may reports whether the next frame should be written at once, and takes note that it is.
func (q *quietWrite) may() bool { return q.socket != nil && q.heard.Swap(false) }

// write gives how many bytes of a piece the socket took. What is wrong with it, whoever writes the rest will see.
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
