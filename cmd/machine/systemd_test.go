package machine

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNewSystemd(t *testing.T) {
	for name, c := range map[string]struct {
		env   map[string]string
		watch time.Duration
		err   string
	}{
		"nothing":                  {nil, 0, ""},
		"nothing without a socket": {map[string]string{watchdogTime: "1000000"}, 0, ""},
		"a socket that is none":    {map[string]string{notifySocket: "/nonexistent/socket"}, 0, "NOTIFY_SOCKET: "},
	} {
		s, err := NewSystemd(func(key string) string { return c.env[key] })
		if s == nil || s.Watchdog != c.watch || (err == nil) != (c.err == "") || err != nil && !strings.HasPrefix(err.Error(), c.err) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		s.Notify("READY=1") // dropped without a socket
	}
}

func TestWithoutSystemd(t *testing.T) {
	got := withoutSystemd([]string{"A=1", "NOTIFY_SOCKET=/s", "WATCHDOG_USEC=1", "WATCHDOG_PID=2", "NOTIFY_SOCKET_NOT=3"})
	if want := []string{"A=1", "NOTIFY_SOCKET_NOT=3"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
