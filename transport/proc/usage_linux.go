package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit of times in /proc: USER_HZ, 100 on every architecture that Go supports
// (proc_pid_stat(5)).
const tick = time.Second / 100

// Usage returns what a living process uses; false where unknown.
func Usage(pid int) (Used, bool) {
	if pid <= 0 {
		return Used{}, false
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Used{}, false
	}
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return Used{}, false
	}
	return parseUsage(text, time.Duration(up.Nano()), os.Getpagesize())
}

// parseUsage reads fields 14, 15 (utime, stime), 22 (starttime, since boot) and 24 (rss, in pages)
// of /proc/<pid>/stat. The second is a name in parentheses that may contain any byte; the third
// follows it.
func parseUsage(stat []byte, up time.Duration, page int) (Used, bool) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 22 {
		return Used{}, false
	}
	var n [4]int64
	for i, at := range []int{11, 12, 19, 21} {
		var err error
		if n[i], err = strconv.ParseInt(string(fields[at]), 10, 64); err != nil {
			return Used{}, false
		}
	}
	return Used{Age: max(up-time.Duration(n[2])*tick, 0), CPU: time.Duration(n[0]+n[1]) * tick, Resident: n[3] * int64(page)}, true
}
