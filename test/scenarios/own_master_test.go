package scenarios

import (
	"encoding/json"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/actors/master"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/mockmaster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
)

// ownMaster is this project's MASTER on a host of its own.
type ownMaster struct {
	*sim.Host
	f       *fleet
	options master.Options
	root    *actor.PID
	failed  error
	events  []messages.Event
	orders  int // given
}

// withOwnMaster puts it into the network, to wait for the given number of machines.
func (f *fleet) withOwnMaster(expect int, change ...func(*master.Options)) *ownMaster {
	m := &ownMaster{Host: sim.NewHost(f.loop, f.net, "master"), f: f}
	m.Log = f.logger("master")
	m.HTTP = f.discord.HTTP
	m.options = master.Options{
		Listen: masterURL, Authorization: "open sesame", Token: token, API: "https://discord.com",
		Failed: func(err error) { m.failed = err }, Observe: func(e messages.Event) {
			m.events = append(m.events, e)
			if text, err := json.Marshal(e); err != nil || leaks(string(text)) {
				f.loop.Fail(fmt.Errorf("I7: the token is in an event of MASTER, or %w", err))
			}
		},
	}
	m.options.Expect, m.options.Wait, m.options.Grace = expect, 45*time.Second, 30*time.Second
	m.options.Heartbeat, m.options.TTL, m.options.Margin = 5*time.Second, 2*time.Second, 100*time.Millisecond
	for _, c := range change {
		c(&m.options)
	}
	m.start()
	return m
}

// start starts a run of MASTER.
func (m *ownMaster) start() {
	w, prefix := m.Boot()
	root, err := m.f.system.Root.SpawnNamed(master.New(w, m.options), prefix+"fleet")
	if err != nil {
		m.f.t.Fatal(err)
	}
	m.root = root
}

// view returns the fleet as MASTER's API shows it.
func (m *ownMaster) view() (v messages.FleetView) {
	m.f.t.Helper()
	answered := false
	m.f.system.Root.Send(m.root, messages.GetFleetView{Answer: func(a messages.FleetView) { v, answered = a, true }})
	m.f.must("a view", time.Second, func() bool { return answered })
	return v
}

// saw counts the events with a name.
func (m *ownMaster) saw(name string) int {
	n := 0
	for _, e := range m.events {
		if got, _ := e.Event(); got == name {
			n++
		}
	}
	return n
}

// sesame is the option of a machine that knows MASTER's secret.
func sesame(o *actors.Options) { o.Master.Authorization = "open sesame" }

// forgetful are bots without sessions: each of their deaths costs identifies.
var forgetful = map[string]fakecluster.SDK{"0": {NoSessions: true}, "1": {NoSessions: true, Boot: 3 * time.Second}, "2": {NoSessions: true},
	"3": {NoSessions: true}, "4": {NoSessions: true}, "5": {NoSessions: true}}

// ownStart is the whole main job: Discord is asked, machines are admitted, shards are placed and
// started.
func ownStart(shards, maxConcurrency, machines int) func(*fleet) {
	return func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: shards, MaxConcurrency: maxConcurrency})
		m := f.withOwnMaster(machines)
		for i := range machines {
			f.add(fmt.Sprintf("m%d", i+1), f.good(nil), sesame)
		}
		floor := f.rules.Floor(shards)
		f.must("every shard READY", floor+floor/50+40*time.Second, f.owned(shards))
		score := f.discord.Rules.Score()
		last, _ := score.AllReady(shards)
		first := last
		for _, s := range score.Shards {
			if s.IdentifyAt[0].Before(first) {
				first = s.IdentifyAt[0]
			}
		}
		// every wave waits for the report of the previous one: two delays of up to 80 ms, beside the
		// allowed margin
		waves := int(floor/rules.Config{}.Floor(2)) + 1
		if took, most := last.Sub(first), floor+floor/50+300*time.Millisecond+time.Duration(320*waves)*time.Millisecond; took > most {
			f.t.Errorf("%d shards at %d on %d machines took %v, want at most %v", shards, maxConcurrency, machines, took, most)
		}
		f.must("fleet.operational", 10*time.Second, func() bool { return m.saw("fleet.operational") == 1 })
		if got := f.discord.Rules.Counts().Identifies; got != shards {
			f.t.Errorf("identifies %d, want %d", got, shards)
		}
	}
}

func TestOwnMasterStartsOneMachine(t *testing.T)    { seeds(t, ownStart(32, 16, 1)) }
func TestOwnMasterStartsSlowly(t *testing.T)        { seeds(t, ownStart(20, 1, 1)) }
func TestOwnMasterStartsThreeMachines(t *testing.T) { seeds(t, ownStart(60, 4, 3)) }

// MASTER is killed and started again while everything serves: nothing is restarted, and nothing is
// identified.
func TestOwnMasterRestarts(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 40, MaxConcurrency: 4})
		m := f.withOwnMaster(2)
		f.add("m1", f.good(nil), sesame)
		f.add("m2", f.good(nil), sesame)
		f.must("fleet.operational", 2*time.Minute, func() bool { return m.saw("fleet.operational") == 1 })
		m.Crash()
		f.pass(time.Duration(f.loop.Rand.IntN(40)) * time.Second)
		m.start()
		f.must("both machines are back", 2*time.Minute, func() bool { return m.saw("machine.joined") == 4 })
		f.must("fleet.operational again", 20*time.Second, func() bool { return m.saw("fleet.operational") == 2 })
		f.pass(time.Minute)
		if got := f.discord.Rules.Counts().Identifies; got != 40 {
			f.t.Errorf("identifies %d, want 40", got)
		}
	})
}

// While MASTER is away clusters die on every machine: the machines pace themselves, each in its
// slots, and no limit is broken.
func TestMachinesPaceAlone(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 12, MaxConcurrency: 2})
		m := f.withOwnMaster(3)
		for i := range 3 {
			f.add(fmt.Sprintf("m%d", i+1), f.good(forgetful), sesame)
		}
		f.must("every shard READY", 3*time.Minute, f.owned(12))
		m.Crash()
		f.pass(12 * time.Second) // every machine has noticed
		for _, name := range []string{"m1", "m2", "m3"} {
			for _, p := range f.machines[name].Processes() {
				p.Signal(syscall.SIGKILL)
			}
		}
		f.must("every shard READY again", 5*time.Minute, func() bool { return f.discord.Rules.Counts().Identifies >= 24 && f.owned(12)() })
		m.start()
		f.must("the machines are back", 2*time.Minute, func() bool { return m.saw("machine.joined") == 6 })
	})
}

// A machine that comes later is a spare; one with the name of another is refused, and reports so.
func TestLatecomerAndDuplicate(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 16, MaxConcurrency: 16})
		m := f.withOwnMaster(1)
		f.add("m1", f.good(nil), sesame)
		f.must("every shard READY", time.Minute, f.owned(16))
		late := f.add("m2", f.good(nil), sesame)
		f.must("the latecomer is a spare", time.Minute, func() bool { return m.saw("fleet.placed") == 2 })
		f.pass(30 * time.Second)
		if len(late.Processes()) > 0 {
			f.t.Error("I4: a spare runs something")
		}
		f.add("m3", f.good(nil), sesame, func(o *actors.Options) { o.Master.Source = "m1" })
		f.must("machine.duplicate", time.Minute, func() bool { return m.saw("machine.duplicate") == 1 })
		f.add("m4", f.good(nil), func(o *actors.Options) { o.Master.Authorization = "guess" })
		f.must("master.refused", time.Minute, f.sawN("master.refused", 2))
	})
}

// Discord is away when MASTER starts: that is reported once, and the fleet starts when Discord is
// back.
func TestDiscordAwayAtStart(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 16, MaxConcurrency: 16})
		f.discord.Step(rules.Fault{Kind: rules.FaultOutageOn, Shard: rules.All})
		m := f.withOwnMaster(1)
		f.add("m1", f.good(nil), sesame)
		f.pass(2 * time.Minute)
		if n := m.saw("discord.unreachable"); n != 1 {
			f.t.Errorf("discord.unreachable raised %d times, want once", n)
		}
		f.discord.Step(rules.Fault{Kind: rules.FaultOutageOff, Shard: rules.All})
		f.must("every shard READY", 2*time.Minute, f.owned(16))
	})
}

// A token that Discord does not know ends MASTER's start without an identify.
func TestTokenUnknownAtStart(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 16})
		f.discord.Step(rules.Fault{Kind: rules.FaultRefuseToken})
		m := f.withOwnMaster(1)
		f.must("MASTER gives up", time.Minute, func() bool { return m.failed != nil })
		if got := f.discord.Rules.Counts().Identifies; got != 0 {
			f.t.Errorf("identifies %d, want 0", got)
		}
	})
}

// Clusters die at random on three machines: the governor keeps the limit for all of them, and
// everything is READY again when it stops.
func TestCrashesUnderTheGovernor(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 48, MaxConcurrency: 8})
		f.withOwnMaster(3)
		for i := range 3 {
			f.add(fmt.Sprintf("m%d", i+1), f.good(forgetful), sesame)
		}
		end := f.loop.Now() + 2*time.Minute
		for f.loop.Now() < end {
			f.pass(time.Duration(f.loop.Rand.IntN(8000)) * time.Millisecond)
			if all := f.machines[fmt.Sprintf("m%d", 1+f.loop.Rand.IntN(3))].Processes(); len(all) > 0 {
				all[f.loop.Rand.IntN(len(all))].Signal(syscall.SIGKILL)
			}
		}
		f.must("every shard READY when it stops", 5*time.Minute, func() bool {
			f.recover() // what was killed four times before it served, or used up too many identifies
			return f.owned(48)()
		})
	})
}

// Two machines served by order of a MASTER that knew nothing of slots. This project's takes its
// place: they are given slots, and are machines like others.
func TestTakesOverFromAnotherMaster(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 16, MaxConcurrency: 4})
		f.master = mockmaster.New(ours(initialise(16, 4)))
		stop := f.listen(f.master)
		m1, m2 := f.add("m1", f.good(nil), sesame), f.add("m2", f.good(nil), sesame)
		f.must("linked", time.Minute, f.sawN("master.linked", 2))
		f.connect(m1, "c1", 0, 7)
		f.must("m1 serves", time.Minute, f.owned(8))
		f.pass(6 * time.Second) // that MASTER's turn-taking
		f.connect(m2, "c2", 8, 15)
		f.must("m2 serves", time.Minute, f.owned(16))
		stop()
		f.master.Link("m1").Close(1001, "bye")
		f.master.Link("m2").Close(1001, "bye")
		own := f.withOwnMaster(2)
		f.must("both are linked", 2*time.Minute, func() bool { return own.saw("machine.joined") == 2 })
		f.pass(time.Minute)
		f.powerOff(f.one())
		f.must("the other one takes over", 36*time.Second, func() bool { return own.saw("machine.replaced") == 1 && f.owned(16)() && f.everywhere() == 4 })
		want(f, "identifies", f.identifies(), 16)
	})
}
