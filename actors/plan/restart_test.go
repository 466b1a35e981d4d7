package plan

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// text returns a verdict in one word.
func (v Verdict) text() string {
	s := [...]string{"restart", "give up", "fatal", "detach"}[v.Action]
	if v.Action == RestartAfter {
		s += " in " + v.After.String()
	}
	if v.Attempt > 0 {
		s += fmt.Sprintf(" #%d", v.Attempt)
	}
	if v.Flapping {
		s += " flapping"
	}
	if v.Class.Passes() {
		s += " (" + v.Class.String() + ")"
	}
	return s
}

// Deaths in their order, and the verdict on each.
func TestRestart(t *testing.T) {
	never := Failure{Cause: messages.CauseExited, Detail: "exited"}
	up := func(d time.Duration) Failure { return Failure{Cause: messages.CauseExited, UpFor: d} }
	ours := Failure{Cause: messages.CauseInternal}
	full := Failure{Cause: messages.CauseStartFailed, Unstarted: true}
	after := func(d time.Duration, f Failure) timed { return timed{d, f} }
	for _, c := range []struct {
		name   string
		deaths []timed
		random float64
		want   string
	}{
		{"never served: three restarts, then the end", []timed{after(0, never), after(1*time.Second, never), after(2*time.Second, never), after(4*time.Second, never)}, 0.5,
			"restart in 1s #1, restart in 2s #2, restart in 4s #3, give up #4"},
		{"the shortest waits", []timed{after(0, never), after(0, never), after(0, never)}, 0, "restart in 800ms #1, restart in 1.6s #2, restart in 3.2s #3"},
		{"longer waits", []timed{after(0, never), after(0, never), after(0, never)}, 0.75, "restart in 1.1s #1, restart in 2.2s #2, restart in 4.4s #3"},
		{"served for a minute: at once", []timed{after(0, up(time.Minute)), after(0, up(time.Hour))}, 0.5, "restart in 0s, restart in 0s"},
		{"served at all: the count starts again", []timed{after(0, never), after(0, never), after(0, never), after(0, up(1)), after(0, never), after(0, never), after(0, never), after(0, never)}, 0.5,
			"restart in 1s #1, restart in 2s #2, restart in 4s #3, restart in 0s, restart in 1s #1, restart in 2s #2, restart in 4s #3, give up #4"},
		{"short services: the first costs no wait, the others twice the last one, up to a minute", repeat(9, after(3*time.Minute, up(59*time.Second))), 0.5,
			"restart in 0s, restart in 1s, restart in 2s, restart in 4s, restart in 8s, restart in 16s, restart in 32s, restart in 1m0s, restart in 1m0s"},
		{"a short service ten minutes after the last one is the first again", append(repeat(3, after(time.Minute, up(1))), after(10*time.Minute-1, up(1)), after(10*time.Minute, up(1)), after(0, up(1))), 0.5,
			"restart in 0s, restart in 1s, restart in 2s, restart in 4s, restart in 0s, restart in 1s"},
		{"a long service forgets the short ones", []timed{after(0, up(1)), after(0, up(1)), after(0, up(time.Minute)), after(0, up(1)), after(0, up(1))}, 0.5,
			"restart in 0s, restart in 1s, restart in 0s, restart in 0s, restart in 1s"},
		{"five short services in ten minutes", repeat(6, after(119*time.Second, up(1))), 0.5,
			"restart in 0s, restart in 1s, restart in 2s, restart in 4s, restart in 8s flapping, restart in 16s"},
		{"five in ten minutes and a bit", repeat(6, after(150*time.Second, up(1))), 0.5,
			"restart in 0s, restart in 1s, restart in 2s, restart in 4s, restart in 8s, restart in 16s"},
		{"flapping is reported every five times", repeat(10, after(time.Second, up(1))), 0.5,
			"restart in 0s, restart in 1s, restart in 2s, restart in 4s, restart in 8s flapping, restart in 16s, restart in 32s, restart in 1m0s, restart in 1m0s, restart in 1m0s flapping"},
		{"fatal, whatever was before", []timed{after(0, never), after(0, Failure{Cause: messages.CauseFatal, UpFor: time.Hour})}, 0.5, "restart in 1s #1, fatal"},
		{"our own panics do not count", []timed{after(0, never), after(0, ours), after(0, ours), after(0, never), after(0, never), after(0, never)}, 0.5,
			"restart in 1s #1, restart in 1s, restart in 1s, restart in 2s #2, restart in 4s #3, give up #4"},
		{"this machine cannot start it: slower and slower, up to a minute, and never the end", append(repeat(12, after(0, full)), after(0, never)), 0.5,
			"restart in 1s (host), restart in 1.5s (host), restart in 2.25s (host), restart in 3.375s (host), restart in 5.0625s (host), restart in 7.59375s (host), " +
				"restart in 11.390625s (host), restart in 17.0859375s (host), restart in 25.62890625s (host), restart in 38.443359375s (host), restart in 57.665039062s (host), " +
				"restart in 1m0s (host), restart in 1s #1"},
		{"what passes consumes no restart, and gives none back", []timed{after(0, never), after(0, full), after(0, never), after(0, full), after(0, never), after(0, full), after(0, never)}, 0.5,
			"restart in 1s #1, restart in 1s (host), restart in 2s #2, restart in 1s (host), restart in 4s #3, restart in 1s (host), give up #4"},
		{"ten panics in a minute: hands off", repeat(10, after(6*time.Second, ours)), 0.5,
			strings.Repeat("restart in 1s, ", 9) + "detach"},
		{"nine, and a minute later", append(repeat(9, after(time.Second, ours)), after(time.Minute, ours)), 0.5,
			strings.TrimSuffix(strings.Repeat("restart in 1s, ", 10), ", ")},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h History
			var got []string
			now := noon
			for _, d := range c.deaths {
				now = now.Add(d.after)
				var v Verdict
				h, v = Restart(h, d.f, now, c.random)
				got = append(got, v.text())
			}
			if s := strings.Join(got, ", "); s != c.want {
				t.Errorf("\n got %s\nwant %s", s, c.want)
			}
		})
	}
}

type timed struct {
	after time.Duration // the death before it
	f     Failure
}

func repeat(n int, d timed) []timed {
	all := make([]timed, n)
	for i := range all {
		all[i] = d
	}
	return all
}

// Every cause, in every circumstance, has a class.
func TestClassOf(t *testing.T) {
	for _, c := range []struct {
		name string
		f    Failure
		want Class
	}{
		{"it exits", Failure{Cause: messages.CauseExited}, ClassBot},
		{"it reports that it cannot start", Failure{Cause: messages.CauseStartFailed}, ClassBot},
		{"it is mute", Failure{Cause: messages.CauseMute}, ClassBot},
		{"its socket is late", Failure{Cause: messages.CauseHelloTimeout}, ClassBot},
		{"a shard is late", Failure{Cause: messages.CauseStartTimeout}, ClassBot},
		{"shards stay down", Failure{Cause: messages.CauseShardsLost}, ClassBot},
		{"there never was a process", Failure{Cause: messages.CauseStartFailed, Unstarted: true}, ClassHost},
		{"mute, but no process here gets CPU time", Failure{Cause: messages.CauseMute, Starved: true, UpFor: time.Hour}, ClassHost},
		{"its socket is late, and so is everything", Failure{Cause: messages.CauseHelloTimeout, Starved: true}, ClassHost},
		{"a shard is late, and so is everything", Failure{Cause: messages.CauseStartTimeout, Starved: true}, ClassHost},
		{"its socket was lost, and everything is late", Failure{Cause: messages.CauseIPCLost, Starved: true}, ClassHost},
		{"it exits while everything is late", Failure{Cause: messages.CauseExited, Starved: true}, ClassBot},
		{"it cannot log in, nor can others", Failure{Cause: messages.CauseExited, Outage: true}, ClassDiscord},
		{"it reports that it cannot log in, nor can others", Failure{Cause: messages.CauseStartFailed, Outage: true}, ClassDiscord},
		{"a shard is late in an outage", Failure{Cause: messages.CauseStartTimeout, Outage: true}, ClassDiscord},
		{"shards stay down in an outage", Failure{Cause: messages.CauseShardsLost, Outage: true, UpFor: time.Hour}, ClassDiscord},
		{"it served, and exits in an outage", Failure{Cause: messages.CauseExited, Outage: true, UpFor: time.Hour}, ClassBot},
		{"it is mute in an outage", Failure{Cause: messages.CauseMute, Outage: true}, ClassBot},
		{"our own panic", Failure{Cause: messages.CauseInternal, Outage: true, Starved: true}, ClassOurs},
		{"no restart cures it", Failure{Cause: messages.CauseFatal, Outage: true, Starved: true}, ClassFatal},
	} {
		if got := ClassOf(c.f); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Causes are kept in order, and a history that was handed out is not changed.
func TestRestartKeepsCauses(t *testing.T) {
	var h History
	for _, cause := range []string{"first", "second", "third"} {
		h, _ = Restart(h, Failure{Cause: messages.CauseExited, Detail: cause}, noon, 0)
	}
	before := h
	one, _ := Restart(before, Failure{Cause: messages.CauseExited, Detail: "one"}, noon, 0)
	other, _ := Restart(before, Failure{Cause: messages.CauseExited, Detail: "other"}, noon, 0)
	if got := strings.Join(one.Causes, " "); got != "first second third one" {
		t.Errorf("causes %q", got)
	}
	if got := strings.Join(other.Causes, " "); got != "first second third other" {
		t.Errorf("causes %q", got)
	}
}
