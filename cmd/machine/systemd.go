package machine

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

// Systemd sends notifications to the service manager (sd_notify(3)). Without a socket it drops
// them.
type Systemd struct {
	Watchdog time.Duration // systemd expects WATCHDOG=1 within it; 0: never
	conn     net.Conn      // nil: not run by systemd
}

// Runs reports whether systemd runs this process and gets its notifications.
func (s *Systemd) Runs() bool { return s.conn != nil }

// The variables that systemd sets for this process only.
const (
	notifySocket = "NOTIFY_SOCKET"
	watchdogTime = "WATCHDOG_USEC"
	watchdogPID  = "WATCHDOG_PID"
)

// notifyLimit bounds how long a datagram may wait for its reader.
const notifyLimit = 50 * time.Millisecond

// NewSystemd connects to the socket that the environment names. With an error, systemd gets no
// notifications, or no watchdog ones.
func NewSystemd(env func(name string) string) (*Systemd, error) {
	path := env(notifySocket)
	if path == "" {
		return &Systemd{}, nil
	}
	conn, err := net.Dial("unixgram", path) // "@" begins an abstract name in Go as in systemd
	if err != nil {
		return &Systemd{}, fmt.Errorf("%s: %w", notifySocket, err)
	}
	s := &Systemd{conn: conn}
	if pid := env(watchdogPID); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return s, nil
	}
	if text := env(watchdogTime); text != "" {
		usec, err := strconv.ParseInt(text, 10, 64)
		if err != nil || usec <= 0 || usec > int64(24*time.Hour/time.Microsecond) {
			return s, fmt.Errorf("%s %.40q: want microseconds, a day at most", watchdogTime, text)
		}
		s.Watchdog = time.Duration(usec) * time.Microsecond
	}
	return s, nil
}

// Notify sends "KEY=value" lines to systemd. Errors are ignored.
func (s *Systemd) Notify(what ...string) {
	if s.conn == nil {
		return
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(notifyLimit))
	_, _ = s.conn.Write([]byte(strings.Join(what, "\n")))
}

// Reloading notifies systemd that another program replaces this one and will send READY.
func (s *Systemd) Reloading() {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) == nil {
		s.Notify("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000))
	}
}

// ChildEnv returns the environment for the processes that this one starts, which has none of
// systemd's variables.
func ChildEnv() []string { return withoutSystemd(os.Environ()) }

// withoutSystemd returns an environment without systemd's variables: a bot that used them would
// notify systemd in CONTROL's place.
func withoutSystemd(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return name == notifySocket || name == watchdogTime || name == watchdogPID
	})
}
