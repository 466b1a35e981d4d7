package scenarios

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/proc"
)

// This file holds what stories with gateway hosts share: the hosts, a stream of numbered events,
// and the judge of what the bots got of it (I9): each event of a session, in order, and none again
// that the host knew as handled. What the host knows is what it has answered by op 11.

// committed is the time after which the next host knows of a handled event, too: that between two
// commits, and a moment.
const committed = 1100 * time.Millisecond

// A session that waits for longer than offered is not offered to the next process, and one that had
// an owner for less than known may not have come to its records.
const (
	offered = 55 * time.Second
	known   = 2 * time.Second
)

// gateways are the gateway hosts of a fleet. Their methods for stories do nothing where there are
// none.
type gateways struct {
	*fleet
	diary    fakecluster.Diary
	folder   string
	emitted  map[int]int64           // by shard
	sessions map[string]*sessionTale // Discord's, by id
	current  map[int]*sessionTale    // by shard: the last that began
	forgets  bool                    // sessions may be lost: another machine has no guilds, or CONTROL forgets
	poison   sync.Map                // of [2]int64: shard, number; bots read it on their goroutines
	judged   int                     // notes
}

// sessionTale holds what is known of one of Discord's sessions.
type sessionTale struct {
	shard  int
	began  time.Duration
	owner  rules.Conn    // 0: it waits for a RESUME
	lost   time.Duration // when it lost its owner
	over   bool          // it need not be resumed
	first  int64         // number of its first event
	got    int64         // each up to here
	acked  int64         // by the host of now
	sure   int64         // by any host
	host   *sim.Proc
	recent []fakecluster.Note // acknowledgements that the next host may not know
}

// withGateways makes all clusters of a fleet gateway hosts, and returns their programs. It is
// called before there is a Discord.
func (f *fleet) withGateways() func(proc.Spec) (sim.Program, error) {
	g := &gateways{
		fleet: f, folder: f.t.TempDir(), emitted: map[int]int64{}, sessions: map[string]*sessionTale{},
		current: map[int]*sessionTale{},
	}
	f.gateway = g
	return f.bots(func(string, int) (sim.Program, error) {
		return fakecluster.Gateway{Discord: f.discord, Diary: &g.diary, Bot: g.bot}.Program, nil
	})
}

// watch follows Discord's sessions.
func (g *gateways) watch() {
	if g != nil {
		g.discord.Stepped = g.stepped
	}
}

// stepped notes what a step of Discord did to its sessions.
func (g *gateways) stepped(in rules.Input, out []rules.Output) {
	resumed := &sessionTale{}
	switch in := in.(type) {
	case rules.Resume:
		resumed = cmp.Or(g.sessions[in.SessionID], resumed)
	case rules.Closed:
		g.leaves(in.Conn, in.Code == 1000 || in.Code == 1001)
	case rules.Fault:
		for _, s := range g.sessions {
			s.over = s.over || in.Kind == rules.FaultInvalidate && !in.Resumable && (in.Shard == s.shard || in.Shard == rules.All)
		}
	}
	for _, o := range out {
		switch o := o.(type) {
		case rules.Ready:
			g.begins(o)
		case rules.Resumed:
			resumed.owner, resumed.lost = o.Conn, 0
		case rules.InvalidSession:
			resumed.over = resumed.over || !o.Resumable
			g.leaves(o.Conn, !o.Resumable)
		case rules.Close:
			g.leaves(o.Conn, rules.EndsSession(o.Code))
		}
	}
}

// begins notes a new session. There is one because the last one ended, or could not be known or
// offered.
func (g *gateways) begins(r rules.Ready) {
	now := g.loop.Now()
	if was := g.current[r.Shard]; was != nil && !g.forgets && !g.diskFailed {
		owned, alone := was.lost-was.began, now-was.lost
		switch {
		case was.over, was.owner == 0 && (alone > offered || owned < known):
		case was.owner == 0 && g.clockSet > was.lost-offered: // it seemed to be older
		default:
			g.loop.Fail(fmt.Errorf("I9: shard %d identified, and its session of %v, owned for %v and alone for %v, could go on", r.Shard, was.began, owned, alone))
		}
	}
	s := &sessionTale{shard: r.Shard, first: g.emitted[r.Shard] + 1, got: g.emitted[r.Shard], owner: r.Conn, began: now}
	g.sessions[r.SessionID], g.current[r.Shard] = s, s
}

// leaves notes that the session of a connection lost it.
func (g *gateways) leaves(conn rules.Conn, over bool) {
	for _, s := range g.sessions {
		if s.owner == conn {
			s.owner, s.lost, s.over = 0, g.loop.Now(), s.over || over
		}
	}
}

// forget notes an order to stop a cluster, which ends its sessions.
func (g *gateways) forget(s *start) {
	if g == nil || s == nil {
		return
	}
	for shard := range s.asked {
		if tale := g.current[shard]; tale != nil {
			tale.over = true
		}
	}
}

// bot draws a run of a bot.
func (g *gateways) bot(int) fakecluster.Behind {
	b := fakecluster.Behind{
		Boot:     time.Duration(g.discord.Chance(2000)) * time.Millisecond,
		Poisoned: g.poisoned,
	}
	if g.discord.Chance(4) == 0 {
		b.Name = "discord.py"
	}
	if g.discord.Chance(4) == 0 {
		b.Crawl = time.Duration(g.discord.Chance(1500)) * time.Millisecond
	}
	return b
}

// emit sends a shard its next numbered event.
func (g *gateways) emit(shard int) {
	g.emitted[shard]++
	g.discord.Step(rules.Emit{Shard: shard})
}

// spike sends a shard an event that ends each bot that gets it.
func (g *gateways) spike(shard int) {
	if g == nil {
		return
	}
	g.poison.Store([2]int64{int64(shard), g.emitted[shard] + 1}, true)
	g.emit(shard)
}

// poisoned reports whether an event ends each bot that gets it.
func (g *gateways) poisoned(shard int, number int64) bool {
	_, is := g.poison.Load([2]int64{int64(shard), number})
	return is
}

// stream emits events of every shard until stop, a few at a time. keeps: no session is lost by the
// story's faults.
func (g *gateways) stream(shards int, keeps bool) (stop func()) {
	if g == nil {
		return func() {}
	}
	g.forgets = !keeps
	over := false
	var next func()
	next = func() {
		if over {
			return
		}
		for shard := range shards {
			if g.loop.Rand.IntN(3) == 0 {
				g.emit(shard)
			}
		}
		g.loop.After(time.Duration(g.loop.Rand.IntN(4000))*time.Millisecond, next)
	}
	next()
	return func() { over = true }
}

// judge judges what the bots got since the last call.
func (g *gateways) judge() error {
	for _, n := range g.diary.Since(g.judged) {
		if err := g.judgeNote(n); err != nil {
			return fmt.Errorf("I9: at %v: %w", n.At, err)
		}
		g.judged++
	}
	return nil
}

func (g *gateways) judgeNote(n fakecluster.Note) error {
	s := g.sessions[n.Session]
	if s == nil {
		return fmt.Errorf("shard %d: session %q is none of Discord's", n.Shard, n.Session)
	}
	if s.host != n.Host {
		s.moved(g.diary.End(s.host))
		s.host = n.Host
	}
	if n.Acked {
		s.acked = max(s.acked, n.Number)
		s.recent = append(s.recent, n)
		return nil
	}
	switch {
	case n.Number <= s.acked:
		return fmt.Errorf("shard %d: pid %d behind pid %d got %d again, and %d was acknowledged", n.Shard, n.Bot.PID(), n.Host.PID(), n.Number, s.acked)
	case n.Number > s.got+1 && !g.skipped(s, n.Number):
		return fmt.Errorf("shard %d: pid %d behind pid %d got %d after %d", n.Shard, n.Bot.PID(), n.Host.PID(), n.Number, s.got)
	}
	s.got = max(s.got, n.Number)
	return nil
}

// skipped reports whether all between what a session's bots got and a number is poison.
func (g *gateways) skipped(s *sessionTale, number int64) bool {
	for n := s.got + 1; n < number; n++ {
		if !g.poisoned(s.shard, n) {
			return false
		}
	}
	return true
}

// moved notes that another host has the session: it knows what was committed before the last one's
// end.
func (s *sessionTale) moved(end time.Time) {
	for _, n := range s.recent {
		if !end.IsZero() && n.At.Add(committed).Before(end) {
			s.sure = max(s.sure, n.Number)
		}
	}
	s.acked, s.recent = s.sure, nil
}

// complete returns what a shard's session of now has not brought to a bot.
func (g *gateways) complete() error {
	if err := g.judge(); err != nil {
		return err
	}
	for _, s := range g.sessions {
		if emitted := g.emitted[s.shard]; s.owner != 0 && s.got < emitted && !g.skipped(s, emitted+1) {
			return fmt.Errorf("I9: shard %d got %d of %d events", s.shard, s.got, emitted)
		}
	}
	return nil
}

// judges fails the story if a bot got what it should not.
func (g *gateways) judges() {
	if g == nil {
		return
	}
	g.t.Helper()
	if err := g.judge(); err != nil {
		g.t.Fatalf("%v\n%s", err, g.log)
	}
}

// completes waits until every event of each shard's session has reached a bot. One that was stopped
// before it connected is killed after three minutes.
func (g *gateways) completes() {
	if g == nil {
		return
	}
	g.t.Helper()
	for end := g.loop.Now() + 5*time.Minute; g.complete() != nil && g.loop.Now() < end; {
		g.pass(time.Second)
	}
	if err := g.complete(); err != nil {
		g.t.Fatalf("%v\n%s", err, g.log)
	}
}
