//go:build unix && !linux

package machine

import "net"

// listenerOf returns 0: the lock is a file here.
func listenerOf(net.Conn) int { return 0 }
