package cluster

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

func (l *recordingLink) Ack()                              { l.took++ }
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
	c := &Cluster{life: plan.Run{Instance: "7"}, mint: &messages.Mint{}, past: &past{}, plan: plan.Cluster{Shards: messages.ShardRange{First: 0, Last: 1}},
		settings: messages.Settings{ShardCount: 2, ShardsPerCluster: 2}, options: Options{Heartbeat: 5 * time.Second}}
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

// houseAt is a addresses where everybody lives at one address.
func houseAt(pid *actor.PID) world.Addresses {
	return world.Addresses{Events: pid, Gate: pid, Sessions: pid, Router: pid}
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
		"sessions for this run":        {messages.SessionsOffered{Run: "7"}, false},
		"sessions for the run before":  {messages.SessionsOffered{Run: "6"}, true},
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
		c.addresses = houseAt(ctx.Parent())
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
			c.addresses.Events = ctx.Self()
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
		c.addresses = houseAt(ctx.Parent())
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
		c.addresses = houseAt(ctx.Parent())
		c.adopting(hearing{ctx, world.Timeout{}})
	})
	if c.State() != string(messages.ClusterUnknown) || times[messages.ClusterInDoubt](got) != 1 || len(link.timers) != 1 {
		t.Errorf("state %s, heard %v, timers %v; want unknown, reported once, one timer", c.State(), got, link.timers)
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
		c.addresses = houseAt(ctx.Parent())
		c.heard(ctx)
	})
	if left := c.startBy.Sub(c.lastIdentify()); left < 5*time.Minute {
		t.Errorf("%v between its last identify and the end of its start, want 5m and more", left)
	}
}
