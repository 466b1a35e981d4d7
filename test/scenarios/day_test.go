package scenarios

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/proc"
)

// This file holds a day's budget that can run out under chaos.

// scarce draws the identifies of a day for a number of shards: plenty, or twice to six times a cold
// start, of which today little more than that is left, and in half of those so little that a few
// crashes reach the reserve. A day is short enough for a story to wait for the next one. Crashes
// must leave the reserve, whatever else takes of it.
func (f *fleet) scarce(c rules.Config) rules.Config {
	c.IdentifyTotal, c.ResetAfter = 100000, 20*time.Minute
	if f.loop.Rand.IntN(4) > 0 {
		c.IdentifyTotal = 2*c.ShardCount + f.loop.Rand.IntN(4*c.ShardCount)
		above := c.ShardCount
		if f.loop.Rand.IntN(2) == 0 {
			above /= 4
		}
		c.IdentifyRemaining = min(2*c.ShardCount+f.loop.Rand.IntN(above), c.IdentifyTotal)
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

// today is the number of Discord's day.
func (f *fleet) today() int { return int(f.loop.Now() / f.rules.ResetAfter) }

// lends makes a scripted MASTER lend its one machine, on each of Discord's days (numbered from 1),
// half of the identifies that are left when the day begins. It spends none itself. A machine that
// does not hear of it goes on with the last one, so that within a day two halves may be spent.
// Toward the end of a day it lends nothing: that might come on the next day.
func (f *fleet) lends() *messages.BudgetShare {
	const late = time.Minute
	day, left := f.today(), f.rules.IdentifyTotal
	if day == 0 && f.rules.IdentifyRemaining > 0 {
		left = f.rules.IdentifyRemaining
	}
	if f.loop.Now()+late >= time.Duration(day+1)*f.rules.ResetAfter {
		return nil
	}
	return &messages.BudgetShare{ID: int64(day + 1), Total: left / 2, Remaining: left / 2, Reserve: min(f.rules.ShardCount, left/4)}
}

// has is the share of the day's budget that a machine has on disk.
func (f *fleet) has(m *machine) (s messages.BudgetShare) {
	f.t.Helper()
	state := struct{ Share *messages.BudgetShare }{&s}
	if file := m.File("gate.json"); file != "" {
		if err := json.Unmarshal([]byte(file), &state); err != nil {
			f.t.Fatal(err)
		}
	}
	return s
}

// paid counts the identifies of a machine since it has its current share, as Discord counts them.
type paid struct {
	share          messages.BudgetShare
	times          int
	alone, crashes int // while it was without MASTER
}

// aloneAfter is the time after the end of a link from which on no identify can be one that MASTER
// granted by it: a permit's, and the network's.
const aloneAfter = 4 * time.Second

// parts records, after every step, which machines are without MASTER and since when.
func (f *fleet) parts() {
	for _, m := range f.machines {
		switch linked := f.net.Links(m.Name, "master") > 0; {
		case linked:
			m.parted = 0
		case m.parted == 0:
			m.parted = f.loop.Now()
		}
	}
}

// pays holds an identify of a machine that a scripted MASTER lends to against its share. What was
// paid before it, or from the share before, may arrive after it: one in each bucket.
func (f *fleet) pays(m *machine, crash bool) {
	if has := f.has(m); has.ID != m.paid.share.ID {
		m.paid = paid{share: has}
	}
	m.paid.times++
	most := m.paid.share.Total
	if crash {
		most -= m.paid.share.Reserve
	}
	if f.lender && m.paid.times > most+f.rules.MaxConcurrency {
		f.loop.Fail(fmt.Errorf("I3: %s identified %d times with the share %+v, of a crash: %v", m.Name, m.paid.times, m.paid.share, crash))
	}
	if m.parted == 0 || f.loop.Now()-m.parted < aloneAfter || m.paid.share.ID == 0 {
		return
	}
	if m.paid.alone++; crash {
		m.paid.crashes++
	}
	if p := m.paid; p.alone > p.share.Total || p.crashes > max(p.share.Total-p.share.Reserve, 0) {
		f.loop.Fail(fmt.Errorf("I3: %s identified %d times without MASTER, %d of them after crashes, with the share %+v", m.Name, p.alone, p.crashes, p.share))
	}
}

// hasSpent gives a condition: a machine's share is spent, but for what is kept from crashes.
func (f *fleet) hasSpent(m *machine) func() bool {
	return func() bool { s := f.has(m); return s.Remaining <= s.Reserve }
}

// start is the start of a process.
type start struct {
	run     int          // of its machine's CONTROL
	crash   bool         // only the death of the one before it can be its reason
	killed  bool         // by the story
	ordered bool         // the next one may be an operator's
	asked   map[int]bool // of each of its shards: it identified in it
}

// notes records the start of a process.
func (f *fleet) notes(m *machine, p *sim.Proc) {
	cluster := p.Env("CLUSTER_ID")
	before := m.latest[cluster]
	succeeds := slices.ContainsFunc(m.Processes(), func(o *sim.Proc) bool { return o != p && o.Env("CLUSTER_ID") == cluster })
	s := &start{run: m.run, asked: map[int]bool{}, ordered: succeeds, // by a rolling restart, which starts what it could not succeed
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
func (f *fleet) kill(m *machine, p *sim.Proc) { f.breaks(m, p, syscall.SIGKILL) }

// hang stops a process, which CONTROL then ends.
func (f *fleet) hang(m *machine, p *sim.Proc) { f.breaks(m, p, syscall.SIGSTOP) }

func (f *fleet) breaks(m *machine, p *sim.Proc, how syscall.Signal) {
	if s := m.latest[p.Env("CLUSTER_ID")]; s != nil {
		s.killed = true
	}
	p.Signal(how)
}

// commanded notes whose next process may be an operator's: of the cluster that the command is for,
// or of all.
func (f *fleet) commanded(m *machine, command any) {
	var id messages.ClusterID
	switch c := command.(type) {
	case messages.RestartCluster:
		id = c.Cluster
	case messages.StopCluster:
		id = c.Cluster
		f.gateway.forget(m.latest[id.String()])
	case messages.DrainCluster:
		id = c.Cluster
	default:
		f.ordered()
		return
	}
	if s := m.latest[id.String()]; s != nil {
		s.ordered = true
	}
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
	if !f.mixed {
		return
	}
	identify, is := in.(rules.Identify)
	if !is {
		return
	}
	if today := f.today(); today != f.day { // its budget is whole
		f.day, f.others = today, 0
	}
	crash := false
	if m := f.machines[from]; m != nil {
		for _, s := range m.latest {
			if asked, has := s.asked[identify.Shard]; has {
				crash = s.crash && s.run == m.run && !asked && f.forgets
				s.asked[identify.Shard] = true
			}
		}
		f.pays(m, crash)
	}
	if !crash {
		f.others++
	}
}

// anyKind returns bots of a kind that the seed draws: that keep no sessions, so that each death of
// one costs identifies, or that keep them. With SIM_KIND=gateway they run behind gateway hosts.
// Their goroutines race, so that a seed may fail in some of its runs only. It is called before
// there is a Discord.
func (f *fleet) anyKind() func(proc.Spec) (sim.Program, error) {
	forgets := f.loop.Rand.IntN(2) == 0
	switch {
	case os.Getenv("SIM_KIND") == "gateway":
		return f.withGateways()
	case forgets:
		f.forgets = true
		return f.cast(func(string, int) fakecluster.SDK { return fakecluster.SDK{NoSessions: true} })
	default:
		return f.good(nil)
	}
}

// spent reports whether too little is left of the day's identifies for crashes, which wait for the
// next day, though every machine is back: of what is above the reserve half may be lent, and a
// MASTER that was restarted withholds what machines that it has not met may have.
func (f *fleet) spent() bool {
	others := 0
	for _, m := range f.machines {
		others = max(others, f.has(m).Others)
	}
	return f.discord.Rules.Counts().Remaining < f.rules.ShardCount+2+others
}

// daysMost bounds the wait for days to end: each brings at least a start of half of the shards.
const daysMost = 4

// mustOnceAffordable is must, except that time does not count while the day's identifies are spent,
// and an operator helps every 10 s.
func (f *fleet) mustOnceAffordable(what string, d time.Duration, spent func() bool, help func(), done func() bool) {
	f.t.Helper()
	const step = 10 * time.Second
	for left, days := d, daysMost*f.rules.ResetAfter; left > 0 && days > 0 && !done(); days -= step {
		help()
		if !spent() {
			left -= step
		}
		if err := f.loop.Until(step, done); err != nil {
			break // must reports it
		}
	}
	f.must(what, 0, done)
}
