package cluster

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// A stock bot that was taken back in the middle of its start may have been connected while CONTROL
// was away: it counts as connected once its time is over. One that was not is killed.
func TestOverdue(t *testing.T) {
	for _, adopted := range []bool{true, false} {
		c, _ := clusterIn(messages.ClusterConnecting)
		p := &sleeper{}
		c.process, c.adopted, c.startBy = p, adopted, time.Now().Add(-time.Second)
		c.shards = map[int]*shard{0: {}, 1: {}}
		killed := false
		inActor(t, func(ctx actor.Context) {
			c.addresses = allAt(ctx.Parent())
			killed = c.overdue(ctx, time.Now())
		})
		want := map[bool]messages.ClusterState{true: messages.ClusterServing, false: messages.ClusterKilling}[adopted]
		if killed == adopted || c.State() != string(want) || (len(p.signals) == 0) != adopted {
			t.Errorf("taken back %v: killed %v, state %s, signals %v; want state %s", adopted, killed, c.State(), p.signals, want)
		}
	}
}

// A bot that is not ready in time fails with what its rule missed.
func TestOverdueNamesTheRule(t *testing.T) {
	for want, rule := range map[string]messages.ReadyRule{
		`no line of the output matches "Logged in"`: {Log: regexp.MustCompile("Logged in")},
		"status 503": {URL: "http://127.0.0.1/"},
	} {
		c, _ := clusterIn(messages.ClusterConnecting)
		c.options.Protocol, c.options.Ready = messages.ProtocolEnv, rule
		c.process, c.startBy = &sleeper{}, time.Now().Add(-time.Second)
		c.shards = map[int]*shard{0: {}, 1: {}}
		if rule.URL != "" {
			c.silence = errors.New("status 503")
		}
		inActor(t, func(ctx actor.Context) {
			c.addresses = allAt(ctx.Parent())
			c.overdue(ctx, time.Now())
		})
		if c.why == nil || !strings.Contains(c.why.Err, want) || strings.Contains(c.why.Err, "nil") {
			t.Errorf("%+v; want %q", c.why, want)
		}
	}
}

// A bot of no protocol that was just started keeps the buckets it has; one that was taken back in
// the middle of its start has all of them again, and one that was ready serves.
func TestRuns(t *testing.T) {
	for name, tc := range map[string]struct {
		adopted, served bool
		held, wants     int
		state           messages.ClusterState
	}{
		"just started": {false, false, 1, 1, messages.ClusterConnecting},
		"taken back":   {true, false, 0, 2, messages.ClusterConnecting},
		"it served":    {true, true, 0, 0, messages.ClusterServing},
	} {
		c, _ := clusterIn(messages.ClusterSpawning)
		c.options.Protocol, c.options.Ready.URL, c.settings.MaxConcurrency = messages.ProtocolEnv, "http://127.0.0.1/", 2
		c.adopted, c.served, c.process = tc.adopted, tc.served, &sleeper{}
		c.bookings, c.held = plan.Bookings(c.plan.Shards, 2), tc.held
		got := inActor(t, func(ctx actor.Context) {
			c.addresses = allAt(ctx.Parent())
			c.beginWithoutIPC(ctx)
		})
		if n := times[messages.WantPermit](got); n != tc.wants || c.State() != string(tc.state) {
			t.Errorf("%s: %d buckets are asked for, state %s; want %d, %s", name, n, c.State(), tc.wants, tc.state)
		}
	}
}

// The time after which a bot counts as ready is over, and its first output came late: it has shards
// to start, and counts as ready when these have identified.
func TestAssumedTooSoon(t *testing.T) {
	c, link := clusterIn(messages.ClusterConnecting)
	c.options.Protocol, c.options.Ready.After = messages.ProtocolEnv, time.Second
	c.started, c.firstOutput = time.Now().Add(-43*time.Second), time.Now()
	inActor(t, func(ctx actor.Context) { c.ruled(ctx, ruleAnswered{ofRun: c.thisRun()}) })
	if left := time.Until(c.lastIdentify()); c.State() != string(messages.ClusterConnecting) || len(link.timers) != 1 || link.timers[0] < left || link.timers[0] > left+5*time.Second {
		t.Errorf("state %s, timers %v; want connecting, and one of %v", c.State(), link.timers, left)
	}
}

// A cluster reports what it waits for, also after a line that came too soon.
func TestRuleWaits(t *testing.T) {
	for want, rule := range map[string]messages.ReadyRule{
		`cluster.ready: a line of its output that matches "Logged in"`: {Log: regexp.MustCompile("Logged in")},
		"cluster.ready: an answer of http://127.0.0.1:9000/":           {URL: "http://127.0.0.1:{9000+cluster}/"},
		"cluster.ready: after 30s":                                     {After: 30 * time.Second},
	} {
		c, _ := clusterIn(messages.ClusterConnecting)
		c.options.Protocol, c.options.Ready, c.started = messages.ProtocolEnv, rule, time.Now()
		if got := c.ruleWaits(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if rule.After > 0 {
			continue
		}
		got := inActor(t, func(ctx actor.Context) { c.ruled(ctx, ruleAnswered{ofRun: c.thisRun()}) })
		want := "cluster.ready, which was true too soon to be about its shards, until " + c.lastIdentify().UTC().Format("15:04:05 UTC")
		if c.ruleWaits() != want || times[messages.ClusterMoved](got) != 1 {
			t.Errorf("too soon: got %q, want %q; it was told %d times", c.ruleWaits(), want, times[messages.ClusterMoved](got))
		}
		c.Enter(string(messages.ClusterServing), c.serving)
		if got := c.ruleWaits(); got != "" {
			t.Errorf("serving: %q", got)
		}
	}
}

// A bot that is not ready by its rule is asked again in a second.
func TestRuleIsAskedAgain(t *testing.T) {
	c, link := clusterIn(messages.ClusterConnecting)
	inActor(t, func(ctx actor.Context) { c.ruled(ctx, ruleAnswered{c.thisRun(), errors.New("status 503")}) })
	if !slices.Equal(link.timers, []time.Duration{time.Second}) {
		t.Errorf("timers %v, want 1s", link.timers)
	}
}

// A bucket is requested until the last identify of a bot that is not started.
func TestBucketIsKeptForAStart(t *testing.T) {
	c, _ := clusterIn(messages.ClusterSpawning)
	c.plan.Shards, c.settings.MaxConcurrency, c.options.Protocol = messages.ShardRange{First: 0, Last: 29}, 1, messages.ProtocolEnv
	got := inActor(t, func(ctx actor.Context) {
		c.addresses = allAt(ctx.Parent())
		c.reserve(ctx)
	})
	now := time.Now()
	last := plan.Identified(messages.ProtocolEnv, c.plan.Shards, now, time.Time{})
	for _, m := range got {
		if w, is := m.(messages.WantPermit); is && (w.Hold < plan.Holding(last, now)-5*time.Second || w.Hold > plan.Holding(last, now)) {
			t.Errorf("held for %v, want %v", w.Hold, plan.Holding(last, now))
		}
	}
	if n := times[messages.WantPermit](got); n != 1 {
		t.Errorf("%d buckets are asked for, want one", n)
	}
}

// A bot whose readiness is assumed counts as ready after a time, and not before its last identify.
func TestAssume(t *testing.T) {
	for after, want := range map[time.Duration]time.Duration{10 * time.Minute: 10 * time.Minute, time.Second: 43 * time.Second} { // 30 s to boot, 6.5 s a shard
		c, link := clusterIn(messages.ClusterConnecting)
		c.options.Protocol, c.options.Ready.After, c.started = messages.ProtocolEnv, after, time.Now()
		inActor(t, func(ctx actor.Context) { c.assume(ctx) })
		if len(link.timers) != 1 || link.timers[0] > want || link.timers[0] < want-5*time.Second {
			t.Errorf("after %v: timers %v, want %v", after, link.timers, want)
		}
	}
}

// The first output of a bot that boots no slower than most changes nothing.
func TestTimelySignOfLife(t *testing.T) {
	c, link := clusterIn(messages.ClusterConnecting)
	c.options.Protocol, c.started = messages.ProtocolEnv, time.Now()
	inActor(t, func(ctx actor.Context) { c.outputStarted(ctx) })
	if !c.startBy.IsZero() || len(link.timers) != 0 {
		t.Errorf("its start ends at %v, timers %v; want neither set", c.startBy, link.timers)
	}
}

// A bucket counts as kept for a cluster where the permit is its next one, granted, and not over.
func TestBooked(t *testing.T) {
	soon, over := time.Now().Add(time.Minute), time.Now().Add(-time.Second)
	for name, tc := range map[string]struct {
		i         int
		granted   bool
		useBefore time.Time
		ours      bool
		held      int
	}{
		"the next one":         {1, true, soon, true, 2},
		"over":                 {1, true, over, false, 1},
		"refused":              {1, false, soon, false, 1},
		"one that it has":      {0, true, soon, true, 1},
		"not its turn":         {2, true, soon, false, 1},
		"of the run before it": {-1, true, soon, false, 1},
	} {
		c, _ := clusterIn(messages.ClusterReserving)
		c.bookings, c.held = make([]plan.Booking, 3), 1
		if ours := c.booked(nil, messages.Permit{ID: c.bookingID(tc.i), Granted: tc.granted, UseBefore: tc.useBefore}); ours != tc.ours || c.held != tc.held {
			t.Errorf("%s: its own %v, %d are held; want %v, %d", name, ours, c.held, tc.ours, tc.held)
		}
	}
}

// A large bot without protocol gives its first sign of life late: its start gets the time that its
// shards need from then on.
func TestLateSignOfLife(t *testing.T) {
	c, _ := clusterIn(messages.ClusterConnecting)
	c.plan.Shards = messages.ShardRange{First: 0, Last: 59}
	c.options.Protocol, c.options.Ready.After = messages.ProtocolEnv, time.Second
	c.started = time.Now().Add(-400 * time.Second)
	c.startBy = c.started.Add(plan.EnvStart(c.plan.Shards))
	inActor(t, func(ctx actor.Context) {
		c.addresses = allAt(ctx.Parent())
		c.outputStarted(ctx)
	})
	if left := c.startBy.Sub(c.lastIdentify()); left < 5*time.Minute {
		t.Errorf("%v between its last identify and the end of its start, want 5m and more", left)
	}
}
