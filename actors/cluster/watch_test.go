package cluster

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// CONTROL was suspended for a minute, not the bot: deadlines get that minute more, or start again,
// and the bot is probed.
func TestSleepIsForgiven(t *testing.T) {
	c, link := clusterIn(messages.ClusterServing)
	now := time.Now()
	const slept = time.Minute
	c.options.ReadyTimeout = 40 * time.Second
	c.startBy, c.lastBeat, c.probes = now.Add(-time.Second), now.Add(-slept), 3
	c.relinkBy = now.Add(-slept)
	late := &shard{state: messages.ShardResuming, deadline: now.Add(-time.Second), down: now.Add(-slept)}
	c.shards = map[int]*shard{0: late, 1: {state: messages.ShardReady}}
	inActor(t, func(ctx actor.Context) {
		c.addresses.Events = ctx.Self()
		c.watch(ctx, world.Timeout{Due: now.Add(-slept)})
	})
	for what, at := range map[string][2]time.Time{
		"start":     {c.startBy, now.Add(slept - time.Second)},
		"heartbeat": {c.lastBeat, now},
		"relink":    {c.relinkBy, now.Add(relinkWithin)},
		"deadline":  {late.deadline, now.Add(40 * time.Second)},
		"down":      {late.down, now},
	} {
		if d := at[0].Sub(at[1]); d < 0 || d > 10*time.Second {
			t.Errorf("%s: %v off", what, d)
		}
	}
	if c.probes != 0 || len(link.sent) != 1 || c.State() != string(messages.ClusterServing) {
		t.Errorf("%d probes, %d HELLOs, state %s; want 0, 1, serving", c.probes, len(link.sent), c.State())
	}
}

// A moment in which nothing is due changes nothing.
func TestNothingIsDue(t *testing.T) {
	c, link := clusterIn(messages.ClusterServing)
	now := time.Now()
	asked := now.Add(-askAgainEvery / 2)
	waits := &shard{state: messages.ShardWaitingPermit, request: &messages.PermitAsk{Shard: 0}, requestedAt: asked, atGate: true}
	late := &shard{state: messages.ShardResuming, deadline: now.Add(time.Minute), down: now}
	c.limits, c.shards = newLimits(2), map[int]*shard{0: waits, 1: late}
	c.relinkBy, c.startBy, c.lastBeat = now.Add(time.Minute), now.Add(time.Minute), now
	c.features = []string{messages.FeatureHeartbeat}
	got := inActor(t, func(ctx actor.Context) {
		c.addresses = allAt(ctx.Parent())
		c.watch(ctx, world.Timeout{Due: now})
	})
	if len(got) != 0 || len(link.sent) != 0 || waits.requestedAt != asked || c.State() != string(messages.ClusterServing) {
		t.Errorf("got %v, sent %v, state %s; want nothing", got, link.sent, c.State())
	}
}

// A shard must be READY within ready_timeout after its used permit, its RESUME or the end of an
// outage. While it waits for CONTROL or Discord no time runs.
func TestTimeForReady(t *testing.T) {
	const timeout = 40 * time.Second
	type do func(c *Cluster, ctx actor.Context)
	moved := func(state messages.ShardState) do {
		return func(c *Cluster, ctx actor.Context) { c.packet(ctx, messages.ShardStatus{State: state}) }
	}
	sent := func(sent bool) do {
		return func(c *Cluster, ctx actor.Context) { c.packet(ctx, messages.PermitSent{EventID: "9", Sent: sent}) }
	}
	outage := func(on bool) do { return func(c *Cluster, ctx actor.Context) { c.setOutage(ctx, on) } }
	for name, tc := range map[string]struct {
		do   do
		left time.Duration // 0: no time runs
	}{
		"it used a permit":  {sent(true), timeout},
		"it used none":      {sent(false), time.Second},
		"it resumes":        {moved(messages.ShardResuming), timeout},
		"it connects":       {moved(messages.ShardConnecting), 0},
		"it waits":          {moved(messages.ShardWaitingPermit), 0},
		"it is READY":       {moved(messages.ShardReady), 0},
		"Discord goes away": {outage(true), time.Second},
		"Discord is back":   {outage(false), timeout},
	} {
		c, _ := clusterIn(messages.ClusterConnecting)
		c.options.ReadyTimeout, c.limits = timeout, newLimits(2)
		now := time.Now()
		s := &shard{state: messages.ShardIdle, deadline: now.Add(time.Second)}
		c.shards = map[int]*shard{0: s, 1: {state: messages.ShardIdle}}
		inActor(t, func(ctx actor.Context) {
			c.addresses = allAt(ctx.Parent())
			tc.do(c, ctx)
		})
		switch left := s.deadline.Sub(now); {
		case s.deadline.IsZero():
			if tc.left != 0 {
				t.Errorf("%s: no time runs, want %v", name, tc.left)
			}
		case left < tc.left || left > tc.left+5*time.Second || tc.left == 0:
			t.Errorf("%s: %v are left, want %v", name, left, tc.left)
		}
	}
}

// A shard whose permit is refused for a while is down from the end of that time on.
func TestRefusedShardIsNotDown(t *testing.T) {
	c, _ := clusterIn(messages.ClusterConnecting)
	c.options.Protocol, c.limits = messages.ProtocolSDK, newLimits(2)
	s := &shard{state: messages.ShardWaitingPermit, request: &messages.PermitAsk{EventID: "9"}, requestID: c.permitID("9")}
	c.shards = map[int]*shard{0: s, 1: {state: messages.ShardReady}}
	now := time.Now()
	inActor(t, func(ctx actor.Context) {
		c.addresses = allAt(ctx.Parent())
		c.permit(ctx, messages.Permit{ID: c.permitID("9"), RetryAfter: 10 * time.Second})
	})
	if after := s.down.Sub(now); after < 10*time.Second || after > 15*time.Second {
		t.Errorf("down after %v, want 10s", after)
	}
}

// A bot without heartbeats is probed once an interval, whatever else its cluster does in between.
func TestProbesOnceAHeartbeat(t *testing.T) {
	for name, tc := range map[string]struct {
		silent   time.Duration
		probes   int // without an answer
		features []string
		want     int
	}{
		"before":                {4900 * time.Millisecond, 0, nil, 0},
		"once":                  {5100 * time.Millisecond, 0, nil, 1},
		"asked a moment ago":    {5100 * time.Millisecond, 1, nil, 0},
		"asked a while ago":     {10100 * time.Millisecond, 1, nil, 1},
		"has its own heartbeat": {5100 * time.Millisecond, 0, []string{messages.FeatureHeartbeat}, 0},
	} {
		c, link := clusterIn(messages.ClusterServing)
		now := time.Now()
		c.features, c.lastBeat, c.probes = tc.features, now.Add(-tc.silent), tc.probes
		c.shards = map[int]*shard{0: {state: messages.ShardReady}, 1: {state: messages.ShardReady}}
		inActor(t, func(ctx actor.Context) { c.watch(ctx, world.Timeout{Due: now}) })
		if len(link.sent) != tc.want {
			t.Errorf("%s: %d HELLOs, want %d", name, len(link.sent), tc.want)
		}
	}
}

// A permit that a shard waits for is asked for again in a while, for the gate may have lost that.
func TestWishIsNextDue(t *testing.T) {
	c, _ := clusterIn(messages.ClusterConnecting)
	now := time.Now()
	c.features = []string{messages.FeatureHeartbeat}
	c.lastBeat = now.Add(time.Hour)
	c.shards = map[int]*shard{0: {request: &messages.PermitAsk{}, requestedAt: now}, 1: {state: messages.ShardReady}}
	if at := c.nextDeadline().Sub(now); at != askAgainEvery {
		t.Errorf("due after %v, want %v", at, askAgainEvery)
	}
}

// A bot is probed where it sends no heartbeat, and there is something to probe it by.
func TestToBeProbed(t *testing.T) {
	for name, tc := range map[string]struct {
		protocol messages.Protocol
		features []string
		closed   bool // its socket
		probe    string
		up       bool
		want     bool
	}{
		"it beats":              {messages.ProtocolSDK, []string{messages.FeatureHeartbeat}, false, "", true, false},
		"a stock bot":           {messages.ProtocolDiscordoo, nil, false, "", true, true},
		"its socket is closed":  {messages.ProtocolDiscordoo, nil, true, "", true, false},
		"it has an address":     {messages.ProtocolEnv, nil, true, "http://127.0.0.1/", true, true},
		"it is not ready as so": {messages.ProtocolEnv, nil, true, "http://127.0.0.1/", false, false},
		"it has none":           {messages.ProtocolEnv, nil, true, "", true, false},
	} {
		c, _ := clusterIn(messages.ClusterServing)
		c.options.Protocol, c.options.Probe, c.features = tc.protocol, tc.probe, tc.features
		if tc.closed {
			c.link = nil
		}
		if tc.up {
			c.up = time.Now()
		}
		if c.toBeProbed() != tc.want {
			t.Errorf("%s: %v, want %v", name, c.toBeProbed(), tc.want)
		}
	}
}

// A socket that is lost did not open again, or opened and HELLO was not answered.
func TestRelinkError(t *testing.T) {
	c, _ := clusterIn(messages.ClusterServing)
	c.dialErr = errors.New("connection refused")
	open := c.relinkError()
	c.link = nil
	if closed := c.relinkError(); !strings.Contains(open, "HELLO") || strings.Contains(open, "refused") || !strings.Contains(closed, "did not open again within 5s: connection refused") {
		t.Errorf("open: %s\nclosed: %s", open, closed)
	}
}

// Why a bot counts as hanging names what its probes met last, if it was that.
func TestProbesFailed(t *testing.T) {
	for _, silence := range []error{nil, errors.New("status 500, want 2xx")} {
		c, _ := clusterIn(messages.ClusterServing)
		c.process, c.probes, c.lastBeat, c.silence = &sleeper{}, probesMissed, time.Now().Add(-time.Minute), silence
		inActor(t, func(ctx actor.Context) { c.probe(ctx) })
		if c.why == nil || strings.Contains(c.why.Err, "status 500") != (silence != nil) || strings.Contains(c.why.Err, "HELLO") != (silence == nil) {
			t.Errorf("probes met %v: %+v", silence, c.why)
		}
	}
}

// A shard that did not become READY in time ends its process.
func TestShardIsLate(t *testing.T) {
	c, _ := clusterIn(messages.ClusterConnecting)
	p, now := &sleeper{}, time.Now()
	c.process, c.lastBeat, c.features = p, now, []string{messages.FeatureHeartbeat}
	c.shards = map[int]*shard{0: {state: messages.ShardReady}, 1: {state: messages.ShardIdentifying, deadline: now.Add(-time.Second)}}
	inActor(t, func(ctx actor.Context) { c.watch(ctx, world.Timeout{Due: now}) })
	if c.State() != string(messages.ClusterKilling) || c.why == nil || c.why.Cause != messages.CauseStartTimeout || !slices.Equal(p.signals, []syscall.Signal{syscall.SIGTERM}) {
		t.Errorf("state %s, why %+v, signals %v; want killing, start_timeout, SIGTERM", c.State(), c.why, p.signals)
	}
}

// The start of a bot that reports no shards has its time again after an outage.
func TestStartBehindAnOutage(t *testing.T) {
	c, _ := clusterIn(messages.ClusterConnecting)
	now := time.Now()
	c.startBy = now.Add(-time.Second)
	inActor(t, func(ctx actor.Context) { c.setOutage(ctx, false) })
	if d := c.startBy.Sub(now) - plan.StockStart(c.plan.Shards); d < 0 || d > 5*time.Second {
		t.Errorf("it has %v, want %v", c.startBy.Sub(now), plan.StockStart(c.plan.Shards))
	}
}

// While the machine is short of CPU time a late bot is looked at again each heartbeat.
func TestLateIsLookedAtAgain(t *testing.T) {
	for _, starved := range []bool{true, false} {
		c, link := clusterIn(messages.ClusterServing)
		c.W.Starved = func() bool { return starved }
		tolerated := false
		inActor(t, func(ctx actor.Context) { tolerated = c.tolerates(ctx) })
		if want := slices.Repeat([]time.Duration{5 * time.Second}, map[bool]int{true: 1}[starved]); tolerated != starved || !slices.Equal(link.timers, want) {
			t.Errorf("short of CPU time %v: tolerated %v, timers %v, want %v", starved, tolerated, link.timers, want)
		}
	}
}

// A bot is mute two heartbeats after its last one, and half a second later once that was noticed.
// While its socket is closed it cannot send any: once, it has until the socket must be back.
func TestMuteAt(t *testing.T) {
	beat := time.Now()
	in := beat.Add
	var none time.Time
	for name, tc := range map[string]struct {
		closed, beatByHello bool
		relinkBy, missedAt  time.Time
		want                time.Duration
	}{
		"it beats":                    {false, false, none, none, 10 * time.Second},
		"two are missed":              {false, false, none, in(10 * time.Second), 10500 * time.Millisecond},
		"missed before":               {false, false, none, in(-time.Second), 10 * time.Second},
		"its socket closed late":      {true, false, in(14 * time.Second), none, 14 * time.Second},
		"its socket closed soon":      {true, false, in(6 * time.Second), none, 10 * time.Second},
		"it closes again and again":   {true, true, in(14 * time.Second), none, 10 * time.Second},
		"it opened, with no HELLO so": {false, false, in(14 * time.Second), none, 10 * time.Second},
	} {
		c, _ := clusterIn(messages.ClusterServing)
		c.lastBeat, c.beatByHello, c.relinkBy, c.missedAt = beat, tc.beatByHello, tc.relinkBy, tc.missedAt
		if tc.closed {
			c.link = nil
		}
		if got := c.muteAt().Sub(beat); got != tc.want {
			t.Errorf("%s: mute after %v, want %v", name, got, tc.want)
		}
	}
}
