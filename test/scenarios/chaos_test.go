package scenarios

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/proc"
)

// The scene of the chaos: three clusters of four shards.
const (
	chaosShards      = 12
	chaosConcurrency = 4
	chaosClusters    = chaosShards / chaosConcurrency
)

// chaos holds the faults of one run.
type chaos struct {
	*fleet
	m     *machine
	ended int // sessions that Discord ended, at most
}

// faults lists everything that may go wrong; an entry listed twice comes twice as often.
var faults = []func(*chaos){
	(*chaos).kill, (*chaos).kill, (*chaos).kill,
	(*chaos).hang,
	(*chaos).cut, (*chaos).heal,
	(*chaos).reconnect, (*chaos).reconnect,
	(*chaos).invalidate,
	(*chaos).closed, (*chaos).closed,
	(*chaos).freeze,
	(*chaos).outage, (*chaos).recovery, (*chaos).recovery,
	(*chaos).stopOne, (*chaos).restartOne, (*chaos).restartOne,
	(*chaos).disk,
	(*chaos).trouble, (*chaos).trouble,
	(*chaos).starve,
	(*chaos).clock,
	func(c *chaos) { c.blind(c.m) }, func(c *chaos) { c.see(c.m) }, func(c *chaos) { c.see(c.m) },
	func(c *chaos) { c.title(c.m) },
	func(c *chaos) { c.helper(c.m) },
	func(c *chaos) { c.gateway.spike(c.rand(chaosShards)) },
}

func (c *chaos) rand(n int) int              { return c.loop.Rand.IntN(n) }
func (c *chaos) cluster() messages.ClusterID { return messages.ClusterID(c.rand(chaosClusters)) }
func (c *chaos) stopOne()                    { c.stop(c.m, c.cluster()) }
func (c *chaos) restartOne()                 { c.restart(c.m, c.cluster()) }
func (c *chaos) cut()                        { c.net.Cut("m1", "master") }
func (c *chaos) heal()                       { c.net.Heal("m1", "master") }
func (c *chaos) discordFault(f rules.Fault)  { c.discord.Step(f) }
func (c *chaos) outage()                     { c.discordFault(rules.Fault{Kind: rules.FaultOutageOn, Shard: rules.All}) }
func (c *chaos) recovery()                   { c.discordFault(rules.Fault{Kind: rules.FaultOutageOff, Shard: rules.All}) }
func (c *chaos) reconnect() {
	c.discordFault(rules.Fault{Kind: rules.FaultReconnect, Shard: c.shard()})
}
func (c *chaos) freeze() {
	c.discordFault(rules.Fault{Kind: rules.FaultFreeze, Shard: c.rand(chaosShards)})
}

// shard returns one of them, or now and then all.
func (c *chaos) shard() int {
	if c.rand(10) == 0 {
		return rules.All
	}
	return c.rand(chaosShards)
}

func (c *chaos) kill() {
	if all := c.m.Processes(); len(all) > 0 {
		c.fleet.kill(c.m, all[c.rand(len(all))])
	}
}

func (c *chaos) hang() {
	if all := c.m.Processes(); len(all) > 0 {
		c.fleet.hang(c.m, all[c.rand(len(all))])
	}
}

func (c *chaos) disk() {
	c.m.DiskErr = nil
	if c.rand(2) == 0 {
		c.m.DiskErr = sim.ErrDiskFull
	}
}

// starve: no process gets CPU time for a while.
func (c *chaos) starve() { c.m.Starve(time.Duration(c.rand(40000)) * time.Millisecond) }

// trouble: the machine can start nothing for a while.
func (c *chaos) trouble() {
	c.m.StartErr = nil
	if c.rand(2) == 0 {
		c.m.StartErr = troubles[c.rand(len(troubles))]
	}
}

// setClock sets a wall clock wrong, by up to three hours, or right.
func (f *fleet) setClock(h *sim.Host) {
	f.clockSet = f.loop.Now()
	h.SetClock(0)
	if f.loop.Rand.IntN(3) > 0 {
		h.SetClock(time.Duration(f.loop.Rand.IntN(6*3600)-3*3600) * time.Second)
	}
}

func (c *chaos) clock() { c.setClock(c.m.Host) }

func (c *chaos) invalidate() {
	f := rules.Fault{Kind: rules.FaultInvalidate, Shard: c.shard(), Resumable: c.rand(2) == 0}
	c.ends(f.Shard, !f.Resumable)
	c.discordFault(f)
}

func (c *chaos) closed() {
	codes := []int{rules.CloseVanished, rules.CloseUnknown, rules.CloseInvalidSeq, rules.CloseRateLimited, rules.CloseSessionTimedOut, 1001}
	f := rules.Fault{Kind: rules.FaultClose, Shard: c.shard(), Code: codes[c.rand(len(codes))]}
	c.ends(f.Shard, rules.EndsSession(f.Code))
	c.discordFault(f)
}

// ends counts the sessions that a fault ends.
func (c *chaos) ends(shard int, yes bool) {
	switch {
	case !yes:
	case shard == rules.All:
		c.ended += chaosShards
	default:
		c.ended++
	}
}

// calm ends every fault.
func (c *chaos) calm() {
	c.heal()
	c.recovery()
	c.discordFault(rules.Fault{Kind: rules.FaultThaw, Shard: rules.All})
	c.m.DiskErr, c.m.StartErr = nil, nil
	c.see(c.m)
	c.pass(time.Second) // what is under way arrives
}

// The parts of a recovery.
const (
	mute      = 11 * time.Second               // until a process that hangs is noticed
	graces    = 10 * time.Second               // until it is killed, every grace used up
	delay     = 72 * time.Second               // the longest wait for a restart
	zombie    = 2 * 41250 * time.Millisecond   // until a frozen connection is noticed
	tries     = 40 * time.Second               // a bot's longest wait before it dials Discord, and what that takes
	overdue   = 3 * time.Second                // a permit that was not reported
	operator  = 10 * time.Second               // until an operator looks at what gave up
	relearned = plan.IdentifyEvery + overdue   // a bucket whose last use has to be assumed
	putOff    = 2 * time.Minute                // until a permit that the budget refused is asked for again, and one that was put off after it
	inBucket  = chaosShards / chaosConcurrency // shards
)

// recovered returns how long it may take from the end of the faults until every shard is READY: its
// parts one after another.
func (c *chaos) recovered() time.Duration {
	return max(mute+graces+delay+operator, zombie) + tries + inBucket*(plan.IdentifyEvery+overdue) + relearned + putOff
}

func chaosStory(f *fleet) { chaosOf(f, f.anyKind()) }

// chaosOf runs the chaos around bots of any kind that asks for permits.
func chaosOf(f *fleet, program func(proc.Spec) (sim.Program, error)) {
	o := ours(initialise(chaosShards, chaosConcurrency))
	o.Share, f.lender = f.lends, true
	c := &chaos{fleet: f, m: f.aloneWith(f.scarce(rules.Config{ShardCount: chaosShards, MaxConcurrency: chaosConcurrency}), o, program)}
	f.must("its share", time.Minute, func() bool { return f.has(c.m).ID > 0 })
	f.connect(c.m, "c", 0, chaosShards-1)
	f.must("the order", time.Second, f.acked(c.m, "c", "connecting"))
	silence := f.gateway.stream(chaosShards, true)
	for end := f.loop.Now() + 5*time.Minute; f.loop.Now() < end; {
		f.pass(time.Duration(c.rand(12000)) * time.Millisecond)
		faults[c.rand(len(faults))](c)
		f.gateway.judges()
	}
	c.calm()
	silence()
	f.mustOnceAffordable("every shard READY once the faults have stopped", c.recovered(), f.hasSpent(c.m), func() { f.help(c.m, chaosClusters) }, func() bool {
		return f.owned(chaosShards)() && len(c.m.Bots()) == chaosClusters
	})
	f.must("the link is back", 40*time.Second, func() bool { return f.master.Link("m1") != nil })
	f.gateway.completes()
	starts := 0
	for _, n := range f.starts {
		starts += n
	}
	// A bot without CPU time sends no heartbeat: Discord closes it with 4009, or keeps its session for
	// a minute only.
	counts := f.discord.Rules.Counts()
	if most := starts*chaosConcurrency + c.ended + counts.TimedOut + counts.Expired; counts.Identifies > most {
		f.t.Fatalf("%d identifies of %d starts, and %d ended, %d timed out and %d expired sessions: want at most %d\n%s",
			counts.Identifies, starts, c.ended, counts.TimedOut, counts.Expired, most, f.log)
	}
}

// For five minutes everything goes wrong at random. Nothing that must hold is ever broken, and once
// it stops every shard is READY within the sum of the parts.
func TestChaos(t *testing.T) { seeds(t, chaosStory) }

// BenchmarkSeed measures the CPU time of one seed: of the story that most others begin with, and of
// the long one.
func BenchmarkSeed(b *testing.B) {
	for name, story := range map[string]func(*fleet){"start": startStory, "chaos": chaosStory} {
		b.Run(name, func(b *testing.B) {
			seed, began := uint64(0), cpu(b)
			for b.Loop() {
				seed++
				one := testing.InternalTest{Name: fmt.Sprint(seed), F: func(t *testing.T) { run(t, seed, story) }}
				if !testing.RunTests(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{one}) {
					b.Fatalf("seed %d failed", seed)
				}
			}
			b.ReportMetric(float64((cpu(b)-began).Microseconds())/1000/float64(seed), "cpu-ms/seed")
		})
	}
}

// cpu returns the CPU time this process has used so far.
func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
