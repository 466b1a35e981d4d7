package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
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

// recordingLink is CONTROL's end of a cluster's socket and its clock. It keeps the frames sent and
// the timers set.
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
	c := &Cluster{spoken: &atomic.Bool{}, run: plan.Run{Instance: "7"}, mint: &messages.Mint{}, handover: &handover{}, plan: plan.Cluster{Shards: messages.ShardRange{First: 0, Last: 1}},
		settings: messages.Settings{ShardCount: 2, ShardsPerCluster: 2}, options: Options{Heartbeat: 5 * time.Second}}
	c.W = &world.World{Clocks: world.NewClocks(time.Now), Secrets: &world.Secrets{}, Starved: func() bool { return false },
		Save: func(string, []byte, func(error)) {}, Remove: func(string, func(error)) {}, Load: func(string) ([]byte, error) { return nil, nil },
		Fetch: func(world.Request, func(world.Response, error)) func() { return func() {} },
		After: func(d time.Duration, _ func()) func() {
			link.timers = append(link.timers, d)
			return func() {}
		}}
	c.limits = newLimits(2)
	c.link = link
	c.Enter(string(state), func(actor.Context) {})
	return c, link
}

// inActor runs do as an actor, and returns what it and its parent got.
func inActor(t *testing.T, do func(ctx actor.Context)) (got []any) {
	t.Helper()
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	defer system.Shutdown()
	var mu sync.Mutex
	keep := func(msg any) {
		switch msg.(type) {
		case actor.SystemMessage, actor.AutoReceiveMessage:
		default:
			mu.Lock()
			defer mu.Unlock()
			got = append(got, msg)
		}
	}
	var child *actor.PID
	parent := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *actor.Started:
			child = ctx.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
				switch m := ctx.Message().(type) {
				case func(actor.Context):
					m(ctx)
					ctx.Respond("done")
				default:
					keep(m)
				}
			}))
		case func(actor.Context):
			ctx.Forward(child)
		default:
			keep(m)
		}
	}))
	for _, do := range []func(actor.Context){do, func(actor.Context) {}} { // the second runs after everything that the first sent
		if _, err := system.Root.RequestFuture(parent, do, 10*time.Second).Result(); err != nil {
			t.Fatal(err)
		}
	}
	if err := system.Root.PoisonFuture(parent).Wait(); err != nil {
		t.Fatal(err)
	}
	return got
}

// allAt returns Addresses that all lead to one actor.
func allAt(pid *actor.PID) world.Addresses {
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

// Messages about another run, or for the previous actor of the cluster, are dropped in every state.
func TestNewsOfAnotherRun(t *testing.T) {
	c, _ := clusterIn(messages.ClusterServing)
	before, _ := clusterIn(messages.ClusterServing)
	old := ofRun{by: c, run: "6"}
	c.handover.sweeping = "5"
	for name, tc := range map[string]struct {
		msg   any
		stale bool
	}{
		"timer of this run":             {redial{c.thisRun()}, false},
		"timer of the run before":       {redial{old}, true},
		"timer of the actor before":     {redial{before.thisRun()}, true},
		"exit of this run":              {runExited{ofRun: c.thisRun()}, false},
		"exit of the run before":        {runExited{ofRun: old}, true},
		"exit of the run that is swept": {runExited{ofRun: ofRun{by: before, run: "5"}}, false},
		"record of the run before":      {recorded{ofRun: old}, true},
		"sessions for this run":         {messages.SessionsOffered{Run: "7"}, false},
		"sessions for the run before":   {messages.SessionsOffered{Run: "6"}, true},
		"an order, which is of no run":  {messages.StopRun{}, false},
	} {
		heard := false
		c.Become(func(actor.Context) { heard = true })
		c.Receive(hearing{msg: tc.msg})
		if heard == tc.stale {
			t.Errorf("%s: heard %v", name, heard)
		}
	}
}

// hearing is a context with a message and nothing else.
type hearing struct {
	actor.Context
	msg any
}

func (h hearing) Message() any { return h.msg }

// A panic may lose the timeout of an end under way: it is set again.
func TestTimeoutOfAnEndIsSetAgain(t *testing.T) {
	for state, want := range map[messages.ClusterState]time.Duration{
		messages.ClusterDraining: 2 * time.Second,
		messages.ClusterKilling:  2 * time.Second,
		"dead":                   100 * time.Millisecond,
	} {
		c, link := clusterIn(state)
		c.options.KillGrace = 2 * time.Second
		receive := map[messages.ClusterState]actor.ReceiveFunc{messages.ClusterDraining: c.draining, messages.ClusterKilling: c.killing, "dead": c.afterExit}[state]
		inActor(t, func(ctx actor.Context) { receive(hearing{ctx, world.Recovered{}}) })
		if !slices.Equal(link.timers, []time.Duration{want}) {
			t.Errorf("%s: timers %v, want %v", state, link.timers, want)
		}
	}
}

// A record that could not be saved is written again after ten seconds, as long as its process runs.
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

// A bot is the same after an upgrade to another path, not with a runner where it had none.
func TestFingerprint(t *testing.T) {
	of := func(runner ...string) string {
		return Options{Command: []string{"node", "."}, Runner: runner}.fingerprint(messages.Settings{}, plan.Cluster{})
	}
	if of("/v1/control", "gateway", "--") != of("/v2/control", "gateway", "--") {
		t.Error("another path of the runner is another bot")
	}
	if of() == of("/v1/control", "gateway", "--") {
		t.Error("a bot with a runner is the one without")
	}
}

// After a process died its link is closed, its socket removed and its permits returned; its last
// sessions are passed on, and then have no owner.
func TestBury(t *testing.T) {
	c, link := clusterIn(messages.ClusterServing)
	unlinked := ""
	c.W.Unlink = func(path string) { unlinked = path }
	c.run.Socket, c.limits, c.shards = "/run/7", newLimits(2), map[int]*shard{}
	c.kept[1], c.gone[0] = messages.Session{Shard: 1, SessionID: "s"}, true
	got := inActor(t, func(ctx actor.Context) {
		c.addresses = allAt(ctx.Parent())
		c.cleanUp(ctx)
	})
	var order []string
	for _, m := range got {
		order = append(order, fmt.Sprintf("%T", m))
	}
	if want := []string{"messages.DropPermits", "messages.KeepSessions", "messages.SessionsOrphaned"}; !slices.Equal(order, want) || unlinked != "/run/7" || !link.closed || c.link != nil || !c.handover.dead {
		t.Errorf("got %v, removed %q, closed %v, buried %v; want %v, its socket, true, true", order, unlinked, link.closed, c.handover.dead, want)
	}
	if got = inActor(t, func(ctx actor.Context) {
		c.addresses = allAt(ctx.Parent())
		c.cleanUp(ctx)
	}); times[messages.KeepSessions](got) != 0 {
		t.Errorf("got %v, where no sessions wait", got)
	}
}

// sleeper is a process that does nothing and keeps the signals it gets.
type sleeper struct {
	proc.Process
	signals []syscall.Signal
	exited  func(proc.Exit)
}

func (s *sleeper) Signal(sig syscall.Signal)   { s.signals = append(s.signals, sig) }
func (s *sleeper) Died(func(proc.Exit))        {}
func (s *sleeper) Wait(exited func(proc.Exit)) { s.exited = exited }
func (s *sleeper) PID() int                    { return 1 }
func (s *sleeper) Mark() proc.Mark             { return proc.Mark{PID: 1} }

// Leave to kill a late process is taken where there is one, and its end is not decided.
func TestMayKill(t *testing.T) {
	for name, tc := range map[string]struct {
		state   messages.ClusterState
		process proc.Process
		want    bool
	}{
		"late":       {messages.ClusterServing, &sleeper{}, true},
		"it ends":    {messages.ClusterDraining, &sleeper{}, false},
		"none as so": {messages.ClusterSpawning, nil, false},
	} {
		c, link := clusterIn(tc.state)
		c.process = tc.process
		inActor(t, c.mayKill)
		if c.allowed != tc.want || (len(link.timers) == 1) != tc.want {
			t.Errorf("%s: taken %v, timers %v; want %v", name, c.allowed, link.timers, tc.want)
		}
	}
}

// A process that outlives its grace gets SIGKILL. One that outlives that too is searched every
// grace, because the message of its end may be lost.
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

// A bot is asked to end in the best way that it supports, and gets SIGTERM if it cannot be asked.
func TestDrain(t *testing.T) {
	all := map[int]*shard{0: {}, 1: {}}
	for name, tc := range map[string]struct {
		shards   map[int]*shard
		closed   bool // its socket
		features []string
		final    bool
		sent     string
		state    messages.ClusterState
	}{
		"it can drain":          {all, false, []string{messages.FeatureDrain}, false, "messages.Drain", messages.ClusterDraining},
		"for good":              {all, false, []string{messages.FeatureDrain}, true, "messages.Destroying", messages.ClusterDraining},
		"it cannot drain":       {all, false, nil, false, "messages.Destroying", messages.ClusterDraining},
		"its socket is closed":  {all, true, nil, false, "", messages.ClusterKilling},
		"it did not say HELLO ": {nil, false, nil, false, "", messages.ClusterKilling},
	} {
		c, link := clusterIn(messages.ClusterServing)
		p := &sleeper{}
		c.process, c.shards, c.features = p, tc.shards, tc.features
		if tc.closed {
			c.link = nil
		}
		inActor(t, func(ctx actor.Context) { c.drain(ctx, messages.StopRun{Final: tc.final}) })
		sent := ""
		for _, m := range link.sent {
			sent += fmt.Sprintf("%T", m)
		}
		if sent != tc.sent || c.State() != string(tc.state) || (len(p.signals) == 1) != (tc.sent == "") {
			t.Errorf("%s: sent %q, state %s, signals %v; want %q, %s", name, sent, c.State(), p.signals, tc.sent, tc.state)
		}
	}
}
