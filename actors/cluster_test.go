package actors

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"syscall"
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
	closed bool
}

func (l *recordingLink) Took()                             { l.took++ }
func (l *recordingLink) Receive(func([]byte), func(error)) {}
func (l *recordingLink) Close(int, string)                 { l.closed = true }

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

// inActor runs do as an actor, and returns what its parent got.
func inActor(t *testing.T, do func(ctx actor.Context)) (got []any) {
	t.Helper()
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	defer system.Shutdown()
	child := actor.PropsFromFunc(func(ctx actor.Context) {
		if ctx.Message() == "do" {
			do(ctx)
			ctx.Respond("done")
		}
	})
	parent := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case actor.SystemMessage, actor.AutoReceiveMessage:
		case string:
			ctx.Forward(ctx.Spawn(child))
		default:
			got = append(got, m)
		}
	}))
	if _, err := system.Root.RequestFuture(parent, "do", 10*time.Second).Result(); err != nil {
		t.Fatal(err)
	}
	if err := system.Root.PoisonFuture(parent).Wait(); err != nil {
		t.Fatal(err)
	}
	return got
}

// houseAt is a house where everybody lives at one address.
func houseAt(pid *actor.PID) House {
	return House{Herald: pid, Gate: pid, Sessions: pid, Router: pid}
}

// times counts the messages of a type.
func times[T any](all []any) (n int) {
	for _, m := range all {
		if _, is := m.(T); is {
			n++
		}
	}
	return n
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
	got := inActor(t, func(ctx actor.Context) {
		c.house = houseAt(ctx.Parent())
		c.passOn(ctx) // nothing waits
		keep(ctx)     // at once
		keep(ctx)     // waits
		keep(ctx)
		c.passOn(ctx) // still does
	})
	if want := []time.Duration{250 * time.Millisecond, 250 * time.Millisecond}; !slices.Equal(link.timers, want) || len(c.kept) != 1 || times[messages.KeepSessions](got) != 1 {
		t.Errorf("timers %v, %d sessions wait, %d were passed on; want %v, 1 and 1", link.timers, len(c.kept), times[messages.KeepSessions](got), want)
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

// A dead process leaves nothing behind: its link is closed, its socket removed, its permits go back,
// and its sessions are without an owner, behind the last ones that it had.
func TestBury(t *testing.T) {
	c, link := clusterIn(messages.ClusterServing)
	unlinked := ""
	c.W.Unlink = func(path string) { unlinked = path }
	c.life.Socket, c.shares, c.shards = "/run/7", newShares(2), map[int]*shard{}
	c.kept[1] = messages.Session{Shard: 1, SessionID: "s"}
	got := inActor(t, func(ctx actor.Context) {
		c.house = houseAt(ctx.Parent())
		c.bury(ctx)
	})
	var order []string
	for _, m := range got {
		order = append(order, fmt.Sprintf("%T", m))
	}
	if want := []string{"messages.DropPermits", "messages.KeepSessions", "messages.SessionsOrphaned"}; !slices.Equal(order, want) || unlinked != "/run/7" || !link.closed || c.link != nil || !c.past.buried {
		t.Errorf("told %v, removed %q, closed %v, buried %v; want %v, its socket, true, true", order, unlinked, link.closed, c.past.buried, want)
	}
}

// sleeper is a process that does nothing, and keeps which signals it was sent.
type sleeper struct {
	proc.Process
	signals []syscall.Signal
}

func (s *sleeper) Signal(sig syscall.Signal) { s.signals = append(s.signals, sig) }
func (s *sleeper) PID() int                  { return 1 }
func (s *sleeper) Mark() proc.Mark           { return proc.Mark{PID: 1} }

// A process that outlives its grace is sent SIGKILL; one that outlives that too is searched each
// grace, for the message of its end may be lost.
func TestGraceIsOver(t *testing.T) {
	c, link := clusterIn(messages.ClusterKilling)
	p, searched := &sleeper{}, 0
	c.process, c.options.KillGrace = p, 2*time.Second
	c.W.Find = func(proc.Mark, func(proc.Process, error)) func() {
		searched++
		return func() {}
	}
	inActor(t, func(ctx actor.Context) {
		for range 3 {
			c.killing(hearing{ctx, world.Timeout{}})
		}
	})
	if !slices.Equal(p.signals, []syscall.Signal{syscall.SIGKILL}) || searched != 2 || !slices.Equal(link.timers, slices.Repeat([]time.Duration{2 * time.Second}, 3)) {
		t.Errorf("signals %v, %d searches, timers %v; want SIGKILL once, 2, and 2s three times", p.signals, searched, link.timers)
	}
}

// The successor of an earlier life of CONTROL does not end, though it was sent SIGKILL: that is
// reported, and it is searched again.
func TestSuccessorThatDoesNotEnd(t *testing.T) {
	c, link := clusterIn(messages.ClusterAdopting)
	c.W.Rand = func() float64 { return 0.5 }
	got := inActor(t, func(ctx actor.Context) {
		c.house = houseAt(ctx.Parent())
		c.adopting(hearing{ctx, world.Timeout{}})
	})
	if c.State() != string(messages.ClusterUnknown) || times[messages.ClusterInDoubt](got) != 1 || len(link.timers) != 1 {
		t.Errorf("state %s, heard %v, timers %v; want unknown, reported once, one timer", c.State(), got, link.timers)
	}
}

// A process that is taken back answers HELLO as soon as any that serves does; one that was just
// started has all of hello_timeout, and a successor as long as it waits for HELLO. The socket of a
// bot that serves may open again at any time.
func TestTimeForHello(t *testing.T) {
	for name, tc := range map[string]struct {
		state     messages.ClusterState
		adopted   bool
		successor bool
		timers    []time.Duration
	}{
		"just started":      {messages.ClusterGreeting, false, false, nil},
		"taken back":        {messages.ClusterGreeting, true, false, []time.Duration{10500 * time.Millisecond}},
		"it serves":         {messages.ClusterServing, true, false, nil},
		"it takes over":     {messages.ClusterGreeting, false, true, []time.Duration{25 * time.Second}},
		"it serves, ours":   {messages.ClusterServing, false, false, nil},
		"dials meanwhile":   {messages.ClusterKilling, false, false, nil},
		"and ends by order": {messages.ClusterDraining, true, false, nil},
	} {
		c, link := clusterIn(tc.state)
		c.adopted, c.successor = tc.adopted, tc.successor
		inActor(t, func(ctx actor.Context) {
			c.house = houseAt(ctx.Parent())
			c.opened(ctx, socketOpened{c.thisRun(), link, nil})
		})
		if !slices.Equal(link.timers, tc.timers) {
			t.Errorf("%s: timers %v, want %v", name, link.timers, tc.timers)
		}
	}
}

// The Router hears once a link that the instance can be asked, however often HELLO is answered, and
// not of one that is another's.
func TestRouterHearsOnceOfALink(t *testing.T) {
	c, _ := clusterIn(messages.ClusterServing)
	got := inActor(t, func(ctx actor.Context) {
		c.house = houseAt(ctx.Parent())
		c.greeted(ctx, messages.Identify{ID: "8"})
		for range 2 {
			c.greeted(ctx, messages.Identify{ID: "7"})
		}
		c.link = &recordingLink{}
		c.greeted(ctx, messages.Identify{ID: "7"})
	})
	if n := times[lineGreeted](got); n != 2 {
		t.Errorf("%d, want one for each of two links", n)
	}
}

// A frame over the limit is its author's to hear of; any other end of a socket is not.
func TestEndOfASocketIsReported(t *testing.T) {
	for err, want := range map[error]int{transport.ErrTooLarge: 1, transport.ErrEnded: 0} {
		c, link := clusterIn(messages.ClusterServing)
		c.peer = plan.Peer()
		got := inActor(t, func(ctx actor.Context) {
			c.house = houseAt(ctx.Parent())
			c.closed(ctx, socketEnded{link, err})
		})
		if n := times[messages.PacketDropped](got); n != want {
			t.Errorf("%v: %d reports, want %d", err, n, want)
		}
	}
}

// A moment in which nothing is due changes nothing.
func TestNothingIsDue(t *testing.T) {
	c, link := clusterIn(messages.ClusterServing)
	now := time.Now()
	asked := now.Add(-askAgainEvery / 2)
	waits := &shard{state: messages.ShardWaitingPermit, wish: &messages.PermitAsk{Shard: 0}, wishAt: asked, atGate: true}
	late := &shard{state: messages.ShardResuming, deadline: now.Add(time.Minute), down: now}
	c.shares, c.shards = newShares(2), map[int]*shard{0: waits, 1: late}
	c.relinkBy, c.startBy, c.lastBeat = now.Add(time.Minute), now.Add(time.Minute), now
	c.features = []string{messages.FeatureHeartbeat}
	got := inActor(t, func(ctx actor.Context) {
		c.house = houseAt(ctx.Parent())
		c.watch(ctx, world.Timeout{Due: now})
	})
	if len(got) != 0 || len(link.sent) != 0 || waits.wishAt != asked || c.State() != string(messages.ClusterServing) {
		t.Errorf("told %v, sent %v, state %s; want nothing", got, link.sent, c.State())
	}
}

// A shard must be READY within ready_timeout from the permit that it used, or the RESUME that it
// sent, and from the end of an outage. While it waits for CONTROL or Discord no time runs.
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
		c.options.ReadyTimeout, c.shares = timeout, newShares(2)
		now := time.Now()
		s := &shard{state: messages.ShardIdle, deadline: now.Add(time.Second)}
		c.shards = map[int]*shard{0: s, 1: {state: messages.ShardIdle}}
		inActor(t, func(ctx actor.Context) {
			c.house = houseAt(ctx.Parent())
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

// A shard whose permit is refused for a while is down from the end of that while on.
func TestRefusedShardIsNotDown(t *testing.T) {
	c, _ := clusterIn(messages.ClusterConnecting)
	c.options.Protocol, c.shares = messages.ProtocolSDK, newShares(2)
	s := &shard{state: messages.ShardWaitingPermit, wish: &messages.PermitAsk{EventID: "9"}, wishID: c.permitID("9")}
	c.shards = map[int]*shard{0: s, 1: {state: messages.ShardReady}}
	now := time.Now()
	inActor(t, func(ctx actor.Context) {
		c.house = houseAt(ctx.Parent())
		c.permit(ctx, messages.Permit{ID: c.permitID("9"), RetryAfter: 10 * time.Second})
	})
	if after := s.down.Sub(now); after < 10*time.Second || after > 15*time.Second {
		t.Errorf("down after %v, want 10s", after)
	}
}

// A large bot of no protocol gives its first sign of life late: its start gets the time that its
// shards need from then on.
func TestLateSignOfLife(t *testing.T) {
	c, _ := clusterIn(messages.ClusterConnecting)
	c.plan.Shards = messages.ShardRange{First: 0, Last: 59}
	c.options.Protocol, c.options.Ready.After = messages.ProtocolEnv, time.Second
	c.started = time.Now().Add(-400 * time.Second)
	c.startBy = c.started.Add(plan.EnvStart(c.plan.Shards))
	inActor(t, func(ctx actor.Context) {
		c.house = houseAt(ctx.Parent())
		c.heard(ctx)
	})
	if left := c.startBy.Sub(c.lastIdentify()); left < 5*time.Minute {
		t.Errorf("%v between its last identify and the end of its start, want 5m and more", left)
	}
}

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

// CONNECTED counts where it names the instance, and the bot does not report each shard.
func TestConnectedOfAnother(t *testing.T) {
	for name, p := range map[string]struct {
		event    messages.Snowflake
		features []string
	}{"of another instance": {"9", nil}, "beside reports": {"7", []string{messages.FeatureShards}}} {
		c, _ := clusterIn(messages.ClusterConnecting)
		c.shares, c.features = newShares(2), p.features
		c.shards = map[int]*shard{0: {state: messages.ShardIdle}, 1: {state: messages.ShardIdle}}
		inActor(t, func(ctx actor.Context) {
			c.house = houseAt(ctx.Parent())
			c.packet(ctx, messages.Connected{EventID: p.event})
		})
		if c.ready() != 0 {
			t.Errorf("%s: %d shards are READY, want 0", name, c.ready())
		}
	}
}

// A bot is mute two heartbeats after its last one, and half a second later once that was seen. While
// its socket is closed it cannot beat: it has until the socket must be back, once.
func TestMuteAt(t *testing.T) {
	beat := time.Now()
	in := func(d time.Duration) time.Time { return beat.Add(d) }
	var none time.Time
	for name, tc := range map[string]struct {
		closed, vouched   bool
		relinkBy, doubted time.Time
		want              time.Duration
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
		c.lastBeat, c.vouched, c.relinkBy, c.doubted = beat, tc.vouched, tc.relinkBy, tc.doubted
		if tc.closed {
			c.link = nil
		}
		if got := c.muteAt().Sub(beat); got != tc.want {
			t.Errorf("%s: mute after %v, want %v", name, got, tc.want)
		}
	}
}
