package machine

import (
	"net"

	"golang.org/x/sys/unix"
)

// listenerOf returns the pid of the program that listens at the other end of conn; 0: unknown, or
// in a pid namespace that this program does not see.
func listenerOf(conn net.Conn) (pid int) {
	socket, is := conn.(*net.UnixConn)
	if !is {
		return 0
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) {
		if peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(peer.Pid)
		}
	})
	return pid
}
