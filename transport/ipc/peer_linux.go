package ipc

import (
	"fmt"
	"net"
	"syscall"
)

// checkPeer refuses a peer that does not run as uid: the sender of HELLO owns the bot, and the
// process that answers it gets the token (PROTOCOL A3, Liveness).
func checkPeer(conn *net.UnixConn, uid int) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("get the peer's credentials: %w", err)
	}
	var cred *syscall.Ucred
	var optErr error
	if err := raw.Control(func(fd uintptr) {
		cred, optErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil {
		return fmt.Errorf("get the peer's credentials: %w", err)
	}
	if optErr != nil {
		return fmt.Errorf("get the peer's credentials: %w", optErr)
	}
	if int(cred.Uid) != uid {
		return fmt.Errorf("the peer (pid %d) runs as uid %d: want our own, %d", cred.Pid, cred.Uid, uid)
	}
	return nil
}

// ownerOnly sets the mode that bind uses for the socket's file, so that it is never open to others,
// not even briefly. Used as net.ListenConfig.Control.
func ownerOnly(_, _ string, c syscall.RawConn) error {
	var modeErr error
	err := c.Control(func(fd uintptr) { modeErr = syscall.Fchmod(int(fd), 0o600) })
	if err != nil {
		return err
	}
	return modeErr
}
