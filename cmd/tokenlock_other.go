//go:build unix && !linux

package cmd

import "net"

// listenerOf returns 0: the lock is a file here.
func listenerOf(net.Conn) int { return 0 }
