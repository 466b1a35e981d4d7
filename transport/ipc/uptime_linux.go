package ipc

import (
	"syscall"
	"time"
	"unsafe"
)

// bootClock is CLOCK_BOOTTIME of clock_gettime(2).
const bootClock = 7

// Uptime is how long the machine has been up, its sleep included. Every process of the machine
// reads the same, and nobody can set it; 0 where it is unknown.
func Uptime() time.Duration {
	var t syscall.Timespec
	if _, _, failed := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, bootClock, uintptr(unsafe.Pointer(&t)), 0); failed != 0 {
		return 0
	}
	return time.Duration(t.Nano())
}
