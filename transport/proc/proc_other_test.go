//go:build unix && !linux

package proc

// ended reports whether a process executes no further instruction.
func ended(pid int) bool { return gone(pid) }
