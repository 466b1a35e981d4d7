//go:build !linux

package ipc

import (
	"net"
	"syscall"
)

// checkPeer accepts every peer: here only the modes of the socket and its folder protect it.
func checkPeer(*net.UnixConn, int) error { return nil }

// ownerOnly does nothing: only Linux takes the mode from the unbound socket. Listen sets it after
// bind.
func ownerOnly(string, string, syscall.RawConn) error { return nil }
