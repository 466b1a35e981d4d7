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

// systemd is what runs us, and is told how we are (sd_notify(3)). One without a socket tells nobody.
type systemd struct {
	conn  net.Conn      // nil: nobody is there to tell
	watch time.Duration // within this it wants a sign of life; 0: it wants none
}

// The variables by which systemd says what it wants to know. They are meant for us alone.
const (
	notifySocket = "NOTIFY_SOCKET"
	watchdogTime = "WATCHDOG_USEC"
	watchdogPID  = "WATCHDOG_PID"
)

// notifyLimit is how long a datagram may wait for its reader.
const notifyLimit = 50 * time.Millisecond

// newSystemd reads what systemd wants. An error means that it will hear nothing of us.
func newSystemd(env func(name string) string) (*systemd, error) {
	path := env(notifySocket)
	if path == "" {
		return &systemd{}, nil
	}
	conn, err := net.Dial("unixgram", path) // "@" begins an abstract name here as it does there
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
		s.watch = time.Duration(usec) * time.Microsecond
	}
	return s, nil
}

// say tells systemd, "KEY=value" each. Whether it hears is its own affair.
func (s *systemd) say(what ...string) {
	if s.conn == nil {
		return
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(notifyLimit))
	_, _ = s.conn.Write([]byte(strings.Join(what, "\n")))
}

// reloading tells that another program takes our place in a moment, and will say when it is ready.
func (s *systemd) reloading() {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) == nil {
		s.say("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000))
	}
}

// withoutSystemd is an environment without what is said to us alone: a bot that answered it would speak in our name.
func withoutSystemd(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return name == notifySocket || name == watchdogTime || name == watchdogPID
	})
}
