package cmd

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// systemd sends notifications to the service manager (sd_notify(3)). Without a socket it drops
// them.
type systemd struct {
	conn     net.Conn      // nil: not run by systemd
	watchdog time.Duration // systemd expects WATCHDOG=1 within it; 0: never
}

// The variables that systemd sets for this process only.
const (
	notifySocket = "NOTIFY_SOCKET"
	watchdogTime = "WATCHDOG_USEC"
	watchdogPID  = "WATCHDOG_PID"
)

// notifyLimit bounds how long a datagram may wait for its reader.
const notifyLimit = 50 * time.Millisecond

// newSystemd connects to the socket that the environment names. With an error, systemd gets no
// notifications, or no watchdog ones.
func newSystemd(env func(name string) string) (*systemd, error) {
	path := env(notifySocket)
	if path == "" {
		return &systemd{}, nil
	}
	conn, err := net.Dial("unixgram", path) // "@" begins an abstract name in Go as in systemd
	if err != nil {
		return &systemd{}, fmt.Errorf("%s: %w", notifySocket, err)
	}
	s := &systemd{conn: conn}
	if pid := env(watchdogPID); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return s, nil
	}
	if text := env(watchdogTime); text != "" {
		usec, err := strconv.ParseInt(text, 10, 64)
		if err != nil || usec <= 0 || usec > int64(24*time.Hour/time.Microsecond) {
			return s, fmt.Errorf("%s %.40q: want microseconds, a day at most", watchdogTime, text)
		}
		s.watchdog = time.Duration(usec) * time.Microsecond
	}
	return s, nil
}

// notify sends "KEY=value" lines to systemd. Errors are ignored.
func (s *systemd) notify(what ...string) {
	if s.conn == nil {
		return
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(notifyLimit))
	_, _ = s.conn.Write([]byte(strings.Join(what, "\n")))
}

// reloading notifies systemd that another program replaces this one and will send READY.
func (s *systemd) reloading() {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) == nil {
		s.notify("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000))
	}
}

// withoutSystemd returns an environment without systemd's variables: a bot that used them would
// notify systemd in CONTROL's place.
func withoutSystemd(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return name == notifySocket || name == watchdogTime || name == watchdogPID
	})
}
