package cluster

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/proc"
)

// A successor of an earlier run of CONTROL is killed, and its end awaited for a grace.
func TestSuccessorOfAnEarlierLife(t *testing.T) {
	c, link := clusterIn(messages.ClusterAdopting)
	p := &sleeper{}
	c.options.KillGrace = 2 * time.Second
	c.search = search{successor: true, query: &query{}}
	got := inActor(t, func(ctx actor.Context) {
		c.answered(ctx, found{to: c.search.query, process: p})
		p.exited(proc.Exit{Signal: syscall.SIGKILL})
	})
	if n := times[found](got); n != 1 {
		t.Errorf("its end is an answer %d times, want once", n)
	}
	if !slices.Equal(p.signals, []syscall.Signal{syscall.SIGKILL}) || !slices.Equal(link.timers, []time.Duration{2 * time.Second}) {
		t.Errorf("signals %v, timers %v; want SIGKILL and 2s", p.signals, link.timers)
	}
}

// A dead successor's record is removed, and the cluster's own is looked at next.
func TestSuccessorIsDead(t *testing.T) {
	c, _ := clusterIn(messages.ClusterAdopting)
	c.search = search{successor: true, query: &query{}}
	removed, read := "", ""
	c.W.Remove = func(name string, _ func(error)) { removed = name }
	c.W.Load = func(name string) ([]byte, error) { read = name; return nil, nil }
	c.W.Find = func(proc.Mark, func(proc.Process, error)) func() { return func() {} }
	inActor(t, func(ctx actor.Context) { c.answered(ctx, found{to: c.search.query, err: &proc.GoneError{}}) })
	if removed != "successor-0.json" || read != "cluster-0.json" {
		t.Errorf("removed %q, read %q; want the successor's, the cluster's", removed, read)
	}
}

// What a dead process may have left behind is searched before anything follows its end, where its
// exit does not say that nothing is.
func TestDoubtfulExit(t *testing.T) {
	for doubt, want := range map[string]messages.ClusterState{"permission denied": messages.ClusterUnknown, "": messages.ClusterServing} {
		c, link := clusterIn(messages.ClusterServing)
		c.W.Rand = func() float64 { return 0.5 }
		unknown := false
		got := inActor(t, func(ctx actor.Context) {
			c.addresses = allAt(ctx.Parent())
			unknown = c.leftBehind(ctx, proc.Exit{Doubt: doubt})
		})
		if n := times[messages.ClusterInDoubt](got); c.State() != string(want) || unknown != (doubt != "") || (n == 1) != unknown || (len(link.timers) == 1) != unknown {
			t.Errorf("doubt %q: unknown %v, state %s, %d reports, timers %v; want state %s", doubt, unknown, c.State(), n, link.timers, want)
		}
	}
}

// What a process of an earlier run left is removed by its record: its socket, and the buckets
// that it may have used.
func TestNothingIsLeft(t *testing.T) {
	c, _ := clusterIn(messages.ClusterAdopting)
	c.run, c.options.Protocol, c.settings.MaxConcurrency = plan.Run{}, messages.ProtocolDiscordoo, 1
	c.search.record = &record{Run: plan.Run{Instance: "6", Socket: "/run/6"}}
	unlinked := ""
	c.W.Unlink = func(path string) { unlinked = path }
	got := inActor(t, func(ctx actor.Context) {
		c.addresses = allAt(ctx.Parent())
		c.nothingLeft(ctx, proc.Exit{Code: -1})
	})
	used := ""
	for _, m := range got {
		if u, is := m.(messages.PermitUsed); is && u.Sent {
			used += u.ID
		}
	}
	if unlinked != "/run/6" || used != "6/bucket-0" || times[messages.ClusterDied](got) != 1 || c.State() != string(messages.ClusterAwaiting) {
		t.Errorf("removed %q, used %q, state %s, told %v; want /run/6, its bucket, awaiting, one death", unlinked, used, c.State(), got)
	}
}

// Where nothing was ever started nothing is searched.
func TestNothingToSearch(t *testing.T) {
	c, _ := clusterIn(messages.ClusterAdopting) // its World cannot search
	c.handover.settled = true
	inActor(t, func(ctx actor.Context) { c.seekNext(ctx) })
	if c.State() != string(messages.ClusterAwaiting) {
		t.Errorf("state %s, want awaiting the token", c.State())
	}
}

// A successor of an earlier run of CONTROL that does not end after SIGKILL is reported and searched
// again.
func TestSuccessorThatDoesNotEnd(t *testing.T) {
	c, link := clusterIn(messages.ClusterAdopting)
	c.W.Rand = func() float64 { return 0.5 }
	got := inActor(t, func(ctx actor.Context) {
		c.addresses = allAt(ctx.Parent())
		c.adopting(hearing{ctx, world.Timeout{}})
	})
	if c.State() != string(messages.ClusterUnknown) || times[messages.ClusterInDoubt](got) != 1 || len(link.timers) != 1 {
		t.Errorf("state %s, heard %v, timers %v; want unknown, reported once, one timer", c.State(), got, link.timers)
	}
}

// A record of the future, for the clock was set back, is of a process that was started now.
func TestAdoptedFromTheFuture(t *testing.T) {
	now := time.Now()
	for _, started := range []time.Duration{-time.Hour, time.Hour} {
		c, _ := clusterIn(messages.ClusterAdopting)
		c.search.leaving = true
		c.search.record = &record{Run: plan.Run{Instance: "7"}, Started: c.W.AtWall(now.Add(started))}
		inActor(t, func(ctx actor.Context) { c.adopt(ctx, &sleeper{}) })
		if d := c.started.Sub(now.Add(min(started, 0))); d < -time.Second || d > 5*time.Second {
			t.Errorf("started %v from now, it counts as started %v from now", started, c.started.Sub(now))
		}
	}
}

// What waited for the search for what a dead run left follows its end, and the log has what was
// found; an end in doubt is reported. A panic may lose the end, so it is searched again soon.
func TestSweeping(t *testing.T) {
	for _, tc := range []struct {
		exit  proc.Exit
		state messages.ClusterState
		log   string
	}{
		{proc.Exit{}, messages.ClusterStopped, ""},
		{proc.Exit{Left: 2}, messages.ClusterStopped, `"processes":2`},
		{proc.Exit{Doubt: "permission denied"}, messages.ClusterUnknown, ""},
	} {
		c, link := clusterIn(messages.ClusterServing)
		c.W.Rand, c.W.Unlink = func() float64 { return 0.5 }, func(string) {}
		var log strings.Builder
		c.Log = zerolog.New(&log)
		got := inActor(t, func(ctx actor.Context) {
			c.addresses = allAt(ctx.Parent())
			if c.awaitSweep(ctx); !slices.Equal(link.timers, []time.Duration{time.Second}) {
				t.Errorf("its own search after %v, want 1s", link.timers)
			}
			c.search.leaving = true
			c.sweeping(hearing{ctx, runExited{exit: tc.exit}})
		})
		doubts := times[messages.ClusterInDoubt](got)
		if c.State() != string(tc.state) || (doubts == 1) != (tc.exit.Doubt != "") || !strings.Contains(log.String(), tc.log) {
			t.Errorf("%+v: state %s, %d doubts, log %s; want %s, %s", tc.exit, c.State(), doubts, log.String(), tc.state, tc.log)
		}
	}
}

// Where an ordered stop cannot read the record it ends what has the mark of its owner. Only if it
// found such a process is it sure that none is left.
func TestStopWithoutARecord(t *testing.T) {
	for left, want := range map[int]messages.ClusterState{0: messages.ClusterUnknown, 2: messages.ClusterStopped} {
		c, _ := clusterIn(messages.ClusterAdopting)
		c.W.Rand, c.W.Unlink = func() float64 { return 0.5 }, func(string) {}
		c.W.Load = func(string) ([]byte, error) { return nil, errors.New("input/output error") }
		c.W.Find = func(proc.Mark, func(proc.Process, error)) func() { return func() {} }
		c.search.leaving = true
		got := inActor(t, func(ctx actor.Context) {
			c.addresses = allAt(ctx.Parent())
			c.seekNext(ctx)
			c.answered(ctx, found{to: c.search.query, err: &proc.GoneError{Exit: proc.Exit{Code: -1, Left: left}}})
		})
		if c.State() != string(want) {
			t.Errorf("%d left: state %s, want %s", left, c.State(), want)
		}
		for _, m := range got {
			if d, is := m.(messages.ClusterInDoubt); is && d.Err != "record cluster-0.json cannot be read: input/output error" {
				t.Errorf("in doubt because of %q", d.Err)
			}
		}
	}
}
