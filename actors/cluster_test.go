package actors

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	codec "github.com/discluster/control/transport/ipc"
	"github.com/discluster/control/transport/proc"
)

// recordingLink is CONTROL's end of a cluster's socket, and its clock: it keeps what is sent, and
// which timers are set.
type recordingLink struct {
	transport.Link
	took   int
	sent   []messages.FromManager
	timers []time.Duration
}

func (l *recordingLink) Took() { l.took++ }

func (l *recordingLink) Send(frame []byte) error {
	p, err := codec.DecodeFromManager(frame)
	l.sent = append(l.sent, p)
	return err
}

// clusterIn is a Cluster in a state, with a link to its process.
func clusterIn(state messages.ClusterState) (*Cluster, *recordingLink) {
	link := &recordingLink{}
	c := &Cluster{life: plan.Life{Instance: "7"}, mint: &messages.Mint{}, past: &past{}, plan: plan.Cluster{Shards: messages.ShardRange{First: 0, Last: 1}},
		settings: messages.Settings{ShardCount: 2, ShardsPerCluster: 2}, options: ClusterOptions{Heartbeat: 5 * time.Second}}
	c.W = &world.World{Secrets: &world.Secrets{}, After: func(d time.Duration, _ func()) func() {
		link.timers = append(link.timers, d)
		return func() {}
	}}
	c.link = link
	c.Enter(string(state), func(actor.Context) {})
	return c, link
}

// inActor runs do as an actor.
func inActor(t *testing.T, do func(ctx actor.Context)) {
	t.Helper()
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	defer system.Shutdown()
	pid := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if ctx.Message() == "do" {
			do(ctx)
			ctx.Respond("done")
		}
	}))
	if _, err := system.Root.RequestFuture(pid, "do", time.Minute).Result(); err != nil {
		t.Fatal(err)
	}
}

// News of another run, or for the actor whose place this one took, is dropped, whatever the state.
func TestNewsOfAnotherRun(t *testing.T) {
	c, _ := clusterIn(messages.ClusterServing)
	before, _ := clusterIn(messages.ClusterServing)
	old := ofRun{c, "6"}
	for name, tc := range map[string]struct {
		msg   any
		stale bool
	}{
		"timer of this run":            {redial{c.thisRun()}, false},
		"timer of the run before":      {redial{old}, true},
		"timer of the actor before":    {redial{before.thisRun()}, true},
		"exit of this run":             {runExited{ofRun: c.thisRun()}, false},
		"exit of the run before":       {runExited{ofRun: old}, true},
		"record of the run before":     {recorded{ofRun: old}, true},
		"sessions for this run":        {messages.SessionsOffered{Life: "7"}, false},
		"sessions for the run before":  {messages.SessionsOffered{Life: "6"}, true},
		"an order, which is of no run": {messages.StopRun{}, false},
	} {
		heard := false
		c.Become(func(actor.Context) { heard = true })
		c.Receive(hearing{msg: tc.msg})
		if heard == tc.stale {
			t.Errorf("%s: heard %v", name, heard)
		}
	}
}

// hearing is a context that has a message, and nothing else.
type hearing struct {
	actor.Context
	msg any
}

func (h hearing) Message() any { return h.msg }

// What lies unread in a socket that was given up says nothing about its process any more; it is
// taken all the same, as the link wants.
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

// The end of a socket that was given up before says nothing about the present one: neither about
// the last words that are awaited on it, nor about the connection of a bot that serves.
func TestEndOfAnotherSocket(t *testing.T) {
	c, _ := clusterIn(messages.ClusterKilling)
	c.mourning(hearing{msg: socketEnded{link: &recordingLink{}}}) // what fails needs a context
	c, link := clusterIn(messages.ClusterServing)
	c.closed(nil, socketEnded{link: &recordingLink{}})
	if c.link != link {
		t.Error("a socket is given up for the end of the one before")
	}
}

// A socket appears some 0.2 s after exec: it is dialled often until then.
func TestSocketIsDialledOften(t *testing.T) {
	c, link := clusterIn(messages.ClusterGreeting)
	inActor(t, func(ctx actor.Context) {
		c.opened(ctx, socketOpened{c.thisRun(), nil, errors.New("connection refused")})
	})
	if !slices.Equal(link.timers, []time.Duration{50 * time.Millisecond}) {
		t.Errorf("timers %v, want 50ms", link.timers)
	}
}

// CONTROL slept for a minute, not the bot: what would be due gets that minute more, or its time
// anew, and the bot is asked for a sign of life.
func TestSleepIsForgiven(t *testing.T) {
	c, link := clusterIn(messages.ClusterServing)
	now := time.Now()
	const slept = time.Minute
	c.options.ReadyTimeout = 40 * time.Second
	c.startBy, c.lastBeat, c.probes = now.Add(-time.Second), now.Add(-slept), 3
	late := &shard{state: messages.ShardResuming, deadline: now.Add(-time.Second), down: now.Add(-slept)}
	c.shards = map[int]*shard{0: late, 1: {state: messages.ShardReady}}
	inActor(t, func(ctx actor.Context) {
		c.house.Herald = ctx.Self()
		c.watch(ctx, world.Timeout{Due: now.Add(-slept)})
	})
	for what, at := range map[string][2]time.Time{
		"start":     {c.startBy, now.Add(slept - time.Second)},
		"heartbeat": {c.lastBeat, now},
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

// What waits for a cluster's share is passed on each 250 ms until nothing waits, and a moment in
// which nothing does costs no share.
func TestShareOfACluster(t *testing.T) {
	c, link := clusterIn(messages.ClusterServing)
	c.shares = newShares(2)
	c.books = plan.Share{Burst: 1, PerSecond: 1e-9}
	c.features = []string{messages.FeatureSessions}
	c.shards = map[int]*shard{0: {state: messages.ShardReady}, 1: {state: messages.ShardReady}}
	keep := func(ctx actor.Context) { c.keep(ctx, []messages.Session{{Shard: 1, SessionID: "s", Seq: 1}}, nil) }
	inActor(t, func(ctx actor.Context) {
		c.house.Sessions = ctx.Self()
		c.passOn(ctx) // nothing waits
		keep(ctx)     // at once
		keep(ctx)     // waits
		keep(ctx)
		c.passOn(ctx) // still does
	})
	if want := []time.Duration{250 * time.Millisecond, 250 * time.Millisecond}; !slices.Equal(link.timers, want) || len(c.kept) != 1 {
		t.Errorf("timers %v, %d sessions wait; want %v and 1", link.timers, len(c.kept), want)
	}
}

// A panic of ours may cost the timeout of an end that is under way: it is set again.
func TestTimeoutOfAnEndIsSetAgain(t *testing.T) {
	for state, want := range map[messages.ClusterState]time.Duration{
		messages.ClusterDraining: 2 * time.Second,
		messages.ClusterKilling:  2 * time.Second,
		"dead":                   100 * time.Millisecond,
	} {
		c, link := clusterIn(state)
		c.options.KillGrace = 2 * time.Second
		receive := map[messages.ClusterState]actor.ReceiveFunc{messages.ClusterDraining: c.draining, messages.ClusterKilling: c.killing, "dead": c.mourning}[state]
		inActor(t, func(ctx actor.Context) { receive(hearing{ctx, world.Recovered{}}) })
		if !slices.Equal(link.timers, []time.Duration{want}) {
			t.Errorf("%s: timers %v, want %v", state, link.timers, want)
		}
	}
}

// A record that the disk did not take is written again after ten seconds, as long as there is a
// process to find by it.
func TestRecordIsWrittenAgain(t *testing.T) {
	full := errors.New("no space left on device")
	for name, tc := range map[string]struct {
		process proc.Process
		errs    []error
		timers  int
	}{
		"taken":             {&sleeper{}, []error{nil}, 0},
		"not taken":         {&sleeper{}, []error{full}, 1},
		"again":             {&sleeper{}, []error{full, full}, 2},
		"and taken":         {&sleeper{}, []error{full, nil}, 1},
		"before its start":  {nil, []error{full}, 0},
		"taken before that": {nil, []error{nil}, 0},
	} {
		c, link := clusterIn(messages.ClusterServing)
		c.process = tc.process
		inActor(t, func(ctx actor.Context) {
			c.house.Herald = ctx.Self()
			for _, err := range tc.errs {
				c.saved(ctx, recorded{c.thisRun(), err})
			}
		})
		if want := slices.Repeat([]time.Duration{10 * time.Second}, tc.timers); !slices.Equal(link.timers, want) {
			t.Errorf("%s: timers %v, want %v", name, link.timers, want)
		}
	}
}

// sleeper is a process that does nothing.
type sleeper struct{ proc.Process }

// An ERROR of the bot is why its start failed, unless it answers something else, or the end is
// decided for another reason. That of a dead one explains its exit.
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

// A bot without heartbeats is asked for a sign of life once a heartbeat, whatever else its cluster
// looks after in between.
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
