package cluster

import (
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/router"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	codec "github.com/discluster/control/transport/ipc"
	"github.com/discluster/control/transport/proc"
)

// Frames of an abandoned socket do not count for its process, but are acknowledged as the link
// wants.
func TestFrameOfAnotherLink(t *testing.T) {
	c, link := clusterIn(messages.ClusterServing)
	old := &recordingLink{}
	beat, err := codec.EncodeFromInstance(messages.IPCBeat{ID: "7", EventID: "8"})
	if err != nil {
		t.Fatal(err)
	}
	c.frame(nil, socketFrame{link: old, frame: beat})
	if !c.lastBeat.IsZero() || len(link.sent) != 0 || old.took != 1 {
		t.Errorf("a heartbeat of the link before: taken at %v, %d answers, %d frames taken; want none, 0, 1", c.lastBeat, len(link.sent), old.took)
	}
	c.frame(nil, socketFrame{link: link, frame: beat})
	if c.lastBeat.IsZero() || len(link.sent) != 1 || link.took != 1 {
		t.Errorf("a heartbeat: taken at %v, %d answers, %d frames taken; want now, 1, 1", c.lastBeat, len(link.sent), link.took)
	}
}

// HELLO is repeated each second until it is answered, also over a socket that opens again.
func TestHelloIsRepeated(t *testing.T) {
	c, link := clusterIn(messages.ClusterGreeting)
	c.link = nil
	inActor(t, func(ctx actor.Context) {
		c.greet(ctx)
		c.link = link
		for range 2 {
			c.greeting(hearing{ctx, greetAgain{c.thisRun()}})
		}
	})
	if len(link.sent) != 2 || !slices.Equal(link.timers, []time.Duration{time.Second, time.Second, time.Second}) {
		t.Errorf("%d HELLOs, timers %v; want 2, and one of 1s behind each try", len(link.sent), link.timers)
	}
}

// The end of an abandoned socket does not end the present one: neither the wait for its last
// frames, nor the connection of a bot that serves.
func TestEndOfAnotherSocket(t *testing.T) {
	c, _ := clusterIn(messages.ClusterKilling)
	c.afterExit(hearing{msg: socketEnded{link: &recordingLink{}}}) // a failure needs a context
	c, link := clusterIn(messages.ClusterServing)
	c.closed(nil, socketEnded{link: &recordingLink{}})
	if c.link != link {
		t.Error("a socket is given up for the end of the one before")
	}
}

// A socket appears some 0.2 s after exec: it is dialled often until then, and less often where it
// may never appear.
func TestSocketIsDialledOften(t *testing.T) {
	for unheard, want := range map[bool]time.Duration{false: 50 * time.Millisecond, true: time.Second} {
		c, link := clusterIn(messages.ClusterGreeting)
		c.leftSilent = unheard
		inActor(t, func(ctx actor.Context) {
			c.opened(ctx, socketOpened{c.thisRun(), nil, errors.New("connection refused")})
		})
		if !slices.Equal(link.timers, []time.Duration{want}) {
			t.Errorf("unheard %v: timers %v, want %v", unheard, link.timers, want)
		}
	}
}

// An adopted process must answer HELLO as soon as one that serves; a new one has hello_timeout, and
// a successor as long as it waits for HELLO. The socket of a bot that serves may open again at any
// time.
func TestTimeForHello(t *testing.T) {
	for name, tc := range map[string]struct {
		state     messages.ClusterState
		adopted   bool
		successor bool
		timers    []time.Duration
	}{
		"just started":       {messages.ClusterGreeting, false, false, nil},
		"taken back":         {messages.ClusterGreeting, true, false, []time.Duration{10500 * time.Millisecond}},
		"it serves":          {messages.ClusterServing, true, false, nil},
		"it takes over":      {messages.ClusterGreeting, false, true, []time.Duration{25 * time.Second}},
		"it serves, ours":    {messages.ClusterServing, false, false, nil},
		"dials while killed": {messages.ClusterKilling, false, false, nil},
		"and ends by order":  {messages.ClusterDraining, true, false, nil},
	} {
		c, link := clusterIn(tc.state)
		c.adopted, c.successor = tc.adopted, tc.successor
		inActor(t, func(ctx actor.Context) {
			c.addresses = allAt(ctx.Parent())
			c.opened(ctx, socketOpened{c.thisRun(), link, nil})
		})
		if !slices.Equal(link.timers, tc.timers) {
			t.Errorf("%s: timers %v, want %v", name, link.timers, tc.timers)
		}
	}
}

// The Router gets one message a link that the instance takes requests, however often HELLO is
// answered, and none for another instance's answer.
func TestRouterHearsOnceOfALink(t *testing.T) {
	c, link := clusterIn(messages.ClusterServing)
	for i, tc := range []struct {
		link *recordingLink
		id   messages.Snowflake
		want int
	}{{link, "8", 0}, {link, "7", 1}, {link, "7", 0}, {&recordingLink{}, "7", 1}} {
		c.link = tc.link
		got := inActor(t, func(ctx actor.Context) {
			c.addresses = allAt(ctx.Parent())
			c.greeted(ctx, messages.Identify{ID: tc.id})
		})
		if n := times[router.ConnGreeted](got); n != tc.want {
			t.Errorf("answer %d: heard %d times, want %d", i, n, tc.want)
		}
	}
}

// A frame over the limit is reported, for its author; any other end of a socket is not.
func TestEndOfASocketIsReported(t *testing.T) {
	for err, want := range map[error]int{transport.ErrTooLarge: 1, transport.ErrEnded: 0} {
		c, link := clusterIn(messages.ClusterServing)
		c.peer = plan.Peer()
		got := inActor(t, func(ctx actor.Context) {
			c.addresses = allAt(ctx.Parent())
			c.closed(ctx, socketEnded{link: link, err: err})
		})
		if n := times[messages.PacketDropped](got); n != want {
			t.Errorf("%v: %d reports, want %d", err, n, want)
		}
	}
}

// An ERROR of the bot explains why its start failed, unless it answers something else, or the end
// is decided for another reason. The ERROR of a dead bot explains its exit.
func TestErrorOfTheBot(t *testing.T) {
	mute, exited := &Failure{Cause: messages.CauseMute}, &Failure{Cause: messages.CauseExited}
	for name, tc := range map[string]struct {
		state messages.ClusterState
		event messages.Snowflake
		why   *Failure
		dead  bool
		cause messages.Cause
	}{
		"of an eval":          {messages.ClusterConnecting, "9", nil, false, ""},
		"at an ordered end":   {messages.ClusterDraining, "7", nil, false, ""},
		"of one that hung":    {messages.ClusterKilling, "7", mute, false, messages.CauseMute},
		"of one that died":    {messages.ClusterKilling, "7", exited, true, messages.CauseStartFailed},
		"of an eval, and end": {messages.ClusterKilling, "9", exited, true, messages.CauseExited},
	} {
		c, _ := clusterIn(tc.state)
		if c.why = tc.why; tc.dead {
			c.exit = &proc.Exit{Code: 1}
		}
		c.packet(nil, messages.Failure{EventID: tc.event, Error: messages.FailureError{Message: "x"}})
		cause := messages.Cause("")
		if c.why != nil {
			cause = c.why.Cause
		}
		if cause != tc.cause || c.State() != string(tc.state) {
			t.Errorf("%s: cause %q in state %s, want %q in %s", name, cause, c.State(), tc.cause, tc.state)
		}
	}
}

// A bot gets its full time to answer HELLO again after a suspension of CONTROL, and when it
// replaces the old process.
func TestTimeForHelloAgain(t *testing.T) {
	for name, do := range map[string]func(c *Cluster, ctx actor.Context){
		"CONTROL was suspended": func(c *Cluster, ctx actor.Context) {
			c.greeting(hearing{ctx, world.Timeout{Due: time.Now().Add(-time.Minute)}})
		},
		"it takes over": func(c *Cluster, ctx actor.Context) { c.waitingToProceed(hearing{ctx, messages.Proceed{}}) },
	} {
		c, link := clusterIn(messages.ClusterGreeting)
		c.options.HelloTimeout, c.process = 30*time.Second, &sleeper{}
		got := inActor(t, func(ctx actor.Context) {
			c.addresses = allAt(ctx.Parent())
			do(c, ctx)
		})
		if n := times[messages.ControlStalled](got); (n == 1) != (name == "CONTROL was suspended") {
			t.Errorf("%s: that CONTROL stalled is reported %d times", name, n)
		}
		if len(link.timers) == 0 || link.timers[0] != 30*time.Second {
			t.Errorf("%s: timers %v, want 30s", name, link.timers)
		}
	}
}

// A socket that closed is dialled again, not at once and forever, but twenty times a second.
func TestClosedSocketIsDialled(t *testing.T) {
	c, link := clusterIn(messages.ClusterGreeting)
	inActor(t, func(ctx actor.Context) { c.closed(ctx, socketEnded{link: link, err: transport.ErrEnded}) })
	if !slices.Equal(link.timers, []time.Duration{50 * time.Millisecond}) {
		t.Errorf("timers %v, want 50ms", link.timers)
	}
}

// A bot that announces permits has ready_timeout to ask for one. The buckets of one that cannot ask
// are kept for it while it starts, again where it was taken back.
func TestAnswerToHello(t *testing.T) {
	for name, tc := range map[string]struct {
		protocol messages.Protocol
		features []string
		adopted  bool
		deadline bool
		wants    int // buckets
	}{
		"SDK":                        {messages.ProtocolSDK, []string{messages.FeaturePermits, messages.FeatureShards}, false, true, 0},
		"SDK of old, taken back":     {messages.ProtocolSDK, nil, true, false, 0},
		"Discordoo":                  {messages.ProtocolDiscordoo, nil, false, false, 0},
		"Discordoo, taken back":      {messages.ProtocolDiscordoo, nil, true, false, 1},
		"one with shards, restarted": {messages.ProtocolDiscordoo, []string{messages.FeatureShards}, true, false, 0},
	} {
		c, _ := clusterIn(messages.ClusterGreeting)
		c.options.Protocol, c.options.ReadyTimeout, c.settings.MaxConcurrency = tc.protocol, 40*time.Second, 1
		c.adopted, c.limits, c.started = tc.adopted, newLimits(2), time.Now()
		now := time.Now()
		got := inActor(t, func(ctx actor.Context) {
			c.addresses = allAt(ctx.Parent())
			c.identified(ctx, messages.Identify{ID: "7", Features: tc.features})
		})
		for id, s := range c.shards {
			if left := s.deadline.Sub(now); !s.deadline.IsZero() != tc.deadline || tc.deadline && (left < 40*time.Second || left > 45*time.Second) {
				t.Errorf("%s: shard %d has until %v, want a deadline in 40s: %v", name, id, s.deadline, tc.deadline)
			}
		}
		if n := times[messages.WantPermit](got); n != tc.wants || len(c.shards) != 2 || c.State() != string(messages.ClusterConnecting) {
			t.Errorf("%s: %d buckets are asked for, %d shards, state %s; want %d, 2, connecting", name, n, len(c.shards), c.State(), tc.wants)
		}
	}
}

// The end of a permit is readable by any clock: as a time from now on, by the wall clock, and by
// the machine's uptime if that is known.
func TestPermitSaysUntilWhen(t *testing.T) {
	for _, up := range []time.Duration{time.Hour, 0} {
		c, link := clusterIn(messages.ClusterConnecting)
		c.options.Protocol, c.limits = messages.ProtocolSDK, newLimits(2)
		c.W.Clocks = world.NewClocks(time.Now)
		c.W.Uptime = func() time.Duration { return up }
		c.shards = map[int]*shard{0: {request: &messages.PermitAsk{EventID: "9"}, requestID: c.permitID("9")}, 1: {}}
		now := time.Now()
		inActor(t, func(ctx actor.Context) {
			c.addresses = allAt(ctx.Parent())
			c.permit(ctx, messages.Permit{ID: c.permitID("9"), Granted: true, UseBefore: now.Add(2 * time.Second)})
		})
		if len(link.sent) != 1 {
			t.Fatalf("sent %v, want the permit", link.sent)
		}
		g := link.sent[0].(messages.PermitGrant)
		within := g.UseWithinMS.Duration()
		if within <= time.Second || within > 2*time.Second || g.UseBefore == nil || g.EventID != "9" {
			t.Errorf("%+v, want 2s", g)
		}
		if want := map[bool]time.Duration{true: up + within}[up > 0]; g.UseBeforeUp.Duration() != want {
			t.Errorf("until an uptime of %v, want %v", g.UseBeforeUp.Duration(), want)
		}
	}
}

// What a start waits for is in the reports of its failure.
func TestWaitsFor(t *testing.T) {
	c, link := clusterIn(messages.ClusterGreeting)
	c.run.Socket, c.link = "/run/7", nil
	steps := []struct {
		then func()
		want string
	}{
		{func() {}, "the socket /run/7"},
		{func() { c.link = link }, "IDENTIFY, the answer to HELLO"},
		{func() {
			c.shards = map[int]*shard{0: {state: messages.ShardReady}, 1: {state: messages.ShardIdentifying}}
		}, "shard 1 (identifying)"},
		{func() { c.link = nil }, "shard 1 (identifying)"},
		{func() { c.up = time.Now() }, ""},
	}
	for i, step := range steps {
		if step.then(); c.waitsFor() != step.want {
			t.Errorf("step %d: %q, want %q", i, c.waitsFor(), step.want)
		}
	}
}

// A bot that refuses HELLO cannot be spoken to: its start failed.
func TestHelloIsRefused(t *testing.T) {
	c, _ := clusterIn(messages.ClusterGreeting)
	p := &sleeper{}
	c.process = p
	inActor(t, func(ctx actor.Context) { c.packet(ctx, messages.InvalidSession{ID: "7"}) })
	if c.State() != string(messages.ClusterKilling) || c.why == nil || c.why.Cause != messages.CauseStartFailed || !slices.Equal(p.signals, []syscall.Signal{syscall.SIGTERM}) {
		t.Errorf("state %s, why %+v, signals %v; want killing, start_failed, SIGTERM", c.State(), c.why, p.signals)
	}
}

// CONNECTED counts where it names the instance, and the bot does not report each shard.
func TestConnectedOfAnother(t *testing.T) {
	for name, p := range map[string]struct {
		event    messages.Snowflake
		features []string
	}{"of another instance": {"9", nil}, "beside reports": {"7", []string{messages.FeatureShards}}} {
		c, _ := clusterIn(messages.ClusterConnecting)
		c.limits, c.features = newLimits(2), p.features
		c.shards = map[int]*shard{0: {state: messages.ShardIdle}, 1: {state: messages.ShardIdle}}
		inActor(t, func(ctx actor.Context) {
			c.addresses = allAt(ctx.Parent())
			c.packet(ctx, messages.Connected{EventID: p.event})
		})
		if c.ready() != 0 {
			t.Errorf("%s: %d shards are READY, want 0", name, c.ready())
		}
	}
}
