package scenarios

import (
	"encoding/json"
	"syscall"
	"time"

	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/proc"
)

// This file holds a day's budget that can run out under chaos.

// scarce draws the identifies of a day for a number of shards: plenty, or twice to six times a cold
// start, of which today little more than that is left. A day is short enough for a story to wait
// for the next one. Crashes must leave the reserve, whatever else takes of it.
func (f *fleet) scarce(c rules.Config) rules.Config {
	c.IdentifyTotal, c.ResetAfter = 100000, 20*time.Minute
	if f.loop.Rand.IntN(4) > 0 {
		c.IdentifyTotal = 2*c.ShardCount + f.loop.Rand.IntN(4*c.ShardCount)
		c.IdentifyRemaining = min(2*c.ShardCount+f.loop.Rand.IntN(c.ShardCount), c.IdentifyTotal)
	}
	f.reserve, f.mixed = c.ShardCount, true
	return c
}

// settled begins to count what takes of the reserve once every machine has its share of what is
// left.
func (f *fleet) settled() {
	f.t.Helper()
	f.pass(time.Minute)
	f.others = 0
}

// start is the start of a process.
type start struct {
	run     int          // of its machine's CONTROL
	crash   bool         // only the death of the one before it can be its reason
	killed  bool         // by the story
	ordered bool         // by an operator the next one may be
	asked   map[int]bool // of each of its shards: it identified in it
}

// notes records the start of a process.
func (f *fleet) notes(m *machine, p *sim.Proc) {
	cluster, before := p.Env("CLUSTER_ID"), m.latest[p.Env("CLUSTER_ID")]
	s := &start{run: m.run, asked: map[int]bool{},
		crash: before != nil && before.run == m.run && before.killed && !before.ordered}
	var shards []int
	if json.Unmarshal([]byte(p.Env("SHARDS")), &shards) == nil {
		for _, shard := range shards {
			s.asked[shard] = false
		}
	}
	m.latest[cluster] = s
}

// kill ends a process as a crash does.
func (f *fleet) kill(m *machine, p *sim.Proc) {
	if s := m.latest[p.Env("CLUSTER_ID")]; s != nil {
		s.killed = true
	}
	p.Signal(syscall.SIGKILL)
}

// ordered records that the next process of any cluster may be an operator's.
func (f *fleet) ordered() {
	for _, m := range f.machines {
		for _, s := range m.latest {
			s.ordered = true
		}
	}
}

// blame counts the identifies that may take of the reserve: all but the first of a shard in a
// process that only replaces one that died. None is certainly a crash's for bots that keep
// sessions, which Discord may refuse, and for those that a lease ends.
func (f *fleet) blame(from string, in rules.Input) {
	identify, is := in.(rules.Identify)
	if !is || !f.mixed {
		return
	}
	crash := false
	if m := f.machines[from]; m != nil {
		for _, s := range m.latest {
			if asked, has := s.asked[identify.Shard]; has {
				crash = s.crash && s.run == m.run && !asked && f.forgets
				s.asked[identify.Shard] = true
			}
		}
	}
	if !crash {
		f.others++
	}
}

// costly returns bots that by the seed keep no sessions: each death of one costs identifies.
func (f *fleet) costly() func(proc.Spec) (sim.Program, error) {
	if f.forgets = f.loop.Rand.IntN(2) == 0; f.forgets {
		return f.cast(func(string, int) fakecluster.SDK { return fakecluster.SDK{NoSessions: true} })
	}
	return f.good(nil)
}

// spent reports whether too little is left of the day's identifies for crashes, which wait for the
// next day, though every machine is back: of what is above the reserve half may be lent.
func (f *fleet) spent() bool {
	return f.discord.Rules.Counts().Remaining < f.rules.ShardCount+2
}

// daysMost bounds the wait for days to end: each brings at least a start of half of the shards.
const daysMost = 4

// mustOnceAffordable is must, except that time does not count while the day's identifies are spent,
// and an operator helps every 10 s.
func (f *fleet) mustOnceAffordable(what string, d time.Duration, help func(), done func() bool) {
	f.t.Helper()
	const step = 10 * time.Second
	for left, days := d, daysMost*f.rules.ResetAfter; left > 0 && days > 0 && !done(); days -= step {
		help()
		if !f.spent() {
			left -= step
		}
		if err := f.loop.Until(step, done); err != nil {
			break // must reports it
		}
	}
	f.must(what, 0, done)
}
