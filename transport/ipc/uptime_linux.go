package ipc

import (
	"syscall"
	"time"
	"unsafe"
)

// bootClock is CLOCK_BOOTTIME of clock_gettime(2).
const bootClock = 7

// Uptime returns the time since the machine's boot, suspended time included. Every process of the
// machine reads the same, and no process can set it; 0 where it is unknown.
func Uptime() time.Duration {
	var t syscall.Timespec
	if _, _, failed := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, bootClock, uintptr(unsafe.Pointer(&t)), 0); failed != 0 {
		return 0
	}
	return time.Duration(t.Nano())
}
