package proc

import (
	"bytes"
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
	var room [1024]byte // a line has some 300
	text, err := readShort("/proc/"+strconv.Itoa(pid)+"/stat", room[:])
	if err != nil {
		return Used{}, false
	}
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return Used{}, false
	}
	return parseUsage(text, time.Duration(up.Nano()), os.Getpagesize())
}

// readShort reads a file of the kernel that is made by one read, without all that os.File does for
// files that one can wait for: half the time.
func readShort(path string, room []byte) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, room)
	return room[:max(n, 0)], err
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
