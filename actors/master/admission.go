package master

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
)

// This file is who MASTER lets in, what it tells them, and what it hears first.

// admit lets a link in or closes it, as upstream does: authorization first, then the source, then
// whether that source is linked already (PROTOCOL A6, B1). It gives the seat, nil when the link was
// closed.
func (f *Fleet) admit(ctx actor.Context, m linkCame) *seat {
	g := m.greeting
	s := f.seats[g.Source]
	switch {
	case subtle.ConstantTimeCompare([]byte(g.Authorization), []byte(f.options.Authorization.Reveal())) == 0:
		return f.turnAway(m, messages.CloseUnauthorised, "Unauthorized")
	case g.Source == "" || len(g.Source) > sourceMax:
		return f.turnAway(m, messages.CloseMalformedRequest, fmt.Sprintf("Malformed Connection Request: source of %d bytes, want 1 to %d", len(g.Source), sourceMax))
	case s == nil && len(f.seats) >= machinesMax:
		return f.turnAway(m, messages.CloseMalformedRequest, fmt.Sprintf("%d machines are known, which is the limit", machinesMax))
	case s != nil && s.link != nil && (g.Instance == "" || g.Instance != s.instance):
		if _, ok := f.doubles.Pass(time.Now()); ok {
			f.raise(messages.MachineDuplicate{Source: g.Source, First: s.remote, Second: g.Remote})
		}
		return f.turnAway(m, messages.CloseAlreadyConnected, fmt.Sprintf("source %s is connected from %s; this is %s", g.Source, s.remote, g.Remote))
	case s != nil && s.link != nil: // the same CONTROL, before we noticed the end of its old link
		ctx.Send(s.pid, closeWith{messages.CloseSuperseded, "superseded by a new link"})
	case s != nil && s.stranger(g) && len(s.granted) > 0 && time.Now().Before(s.due):
		if _, ok := f.doubles.Pass(time.Now()); ok {
			f.raise(messages.MachineDuplicate{Source: g.Source, First: s.remote, Second: g.Remote})
		}
		return f.turnAway(m, messages.CloseAlreadyConnected, fmt.Sprintf("source %s is another CONTROL's, of %s, which is away and may return; this is %s", g.Source, s.remote, g.Remote))
	case s != nil && s.stranger(g):
		s = f.succeed(ctx, s, g)
	case s == nil:
		s = newSeat(g.Source)
		f.seats[g.Source], f.sorted = s, nil
	}
	f.machines++
	name := fmt.Sprintf("machine-%d", f.machines)
	self := ctx.Self()
	house := house{fleet: self, governor: actor.NewPID(self.Address, self.Id+"/governor"), sessions: f.sessions}
	s.pid = f.spawn(ctx, newMachine(f.W, name, g.Source, m.link, house, f.options.Heartbeat), name)
	s.link, s.instance, s.remote, s.informed = m.link, g.Instance, g.Remote, false
	return s
}

// succeed gives the source of a CONTROL that is away to another one. The former keeps its slots, and what is known of it, under another name: it may live yet.
func (f *Fleet) succeed(ctx actor.Context, former *seat, g transport.Greeting) *seat {
	if len(former.granted) > 0 { // its time is over, and nobody was there to take what it had
		f.replace(ctx, former)
	}
	by := func(instance string) string { return fmt.Sprintf("%s (%.8s)", former.source, instance) }
	source := former.source
	s := f.seats[by(g.Instance)]
	if s == nil || s.instance != g.Instance || s.link != nil {
		s = newSeat(source)
	} else {
		delete(f.seats, s.source)
	}
	s.source, s.losses, s.drained = source, max(s.losses, former.losses)+1, former.drained
	former.source, former.losses = by(former.instance), s.losses
	f.seats[source], f.seats[former.source], f.sorted = s, former, nil
	f.After(ctx, forgetAfter, forgetDue{former.source, former.losses})
	return s
}

// welcome lets a link in, and tells it what the fleet is.
func (f *Fleet) welcome(ctx actor.Context, m linkCame) {
	if s := f.admit(ctx, m); s != nil {
		f.greet(ctx, s)
	}
}

func (f *Fleet) turnAway(m linkCame, code int, why string) *seat {
	if times, ok := f.knocks.Pass(time.Now()); ok {
		f.raise(messages.MachineRefused{Remote: m.greeting.Remote, Source: fmt.Sprintf("%.60s", m.greeting.Source), CloseCode: code, Err: why, Times: more(times)})
	}
	m.link.Receive(func([]byte) {}, func(error) {})
	m.link.Close(code, why)
	return nil
}

// greet tells a CONTROL what the fleet is.
func (f *Fleet) greet(ctx actor.Context, s *seat) {
	known := f.settings.shards > 0
	if s.link == nil || !known && f.blind == 0 { // it is told when it is known
		return
	}
	now := f.W.AtSteady(time.Now())
	i := messages.Initialise{
		Token: f.options.Token, HeartbeatInterval: new(messages.Millis(f.options.Heartbeat)), Epoch: f.epoch, Now: &now,
		Features: []string{messages.FeatureInfo, messages.FeatureHeartbeat, messages.FeatureSessions, messages.FeatureOrders, messages.FeatureConfirm},
	}
	if known {
		i.Features = append(i.Features, messages.FeaturePermits)
		i.ShardCount, i.MaxConcurrency, i.ShardsPerCluster = new(f.settings.shards), new(f.settings.maxConcurrency), new(f.settings.perCluster)
	}
	if s.place.Of > 0 {
		i.Machine = new(s.place)
	}
	i.Drained = s.drained
	if f.options.Lease > 0 {
		i.LeaseMS = new(messages.Millis(f.options.Lease))
	}
	s.epoch = f.epoch
	ctx.Send(s.pid, greet{i})
	if s.instance == "" && !s.informed { // not of PROTOCOL B1: it may know no info either
		f.After(ctx, speakWithin, saidNothing{s.source, s.link})
	}
}

// saidNothing: a CONTROL had the time to say something of itself.
type saidNothing struct {
	source string
	link   transport.Link
}

// IgnoreDeadLetterLogging: it may come after MASTER has stopped.
func (saidNothing) IgnoreDeadLetterLogging() {}

// speakWithin is how long a CONTROL that speaks PROTOCOL A6 alone, as far as its greeting tells,
// may take to say something of itself. After that it is taken for one that never does.
const speakWithin = 10 * time.Second

// informed takes a CONTROL at its word: what it serves is its own.
func (f *Fleet) informed(ctx actor.Context, m informed) {
	s := f.seats[m.source]
	if !m.assumed {
		f.told = false // the governor waits for it
	}
	if s == nil || s.link != m.link || m.assumed && s.informed || f.blind > 0 && m.info.Epoch == f.blind { // that one it says again
		f.keepSlots(ctx)
		return
	}
	if s.assumed && !m.assumed { // it speaks after all
		s.informed = false
	}
	s.assumed = m.assumed
	if f.present() == 0 && f.State() == "serving" { // nobody was: was it us who were cut off? Everybody gets the time to come back
		defer f.expectAll(ctx)
	}
	first, before := !s.informed, s.ranges
	s.informed, s.host, s.ranges, s.knows = true, m.info.Hostname, m.info.Ranges, m.info.Machine
	s.shards, s.per = m.info.ShardCount, m.info.ShardsPerCluster
	s.capacity = plan.Capacity{CPUs: m.info.CPUs, Memory: m.info.MemoryBytes, Weight: m.info.Weight}
	if s.drained == nil {
		s.drained = new(m.info.Drained)
	}
	s.paces, s.obeys = !slices.Contains(m.info.Features, messages.FeaturePermits), slices.Contains(m.info.Features, messages.FeatureOrders)
	f.seat(ctx, s)
	if first {
		if f.heir.IsZero() && len(s.ranges) > 0 && s.lostAt.IsZero() {
			f.heir = time.Now()
			f.After(ctx, max(f.options.Grace, returnWithin), tryAgain{}) // awaits
		}
		joined := messages.MachineJoined{Source: s.source, Host: s.host, Version: m.info.Version}
		for _, r := range s.ranges {
			joined.Serves = append(joined.Serves, r.Range.String())
		}
		f.raise(joined)
		f.renew(ctx, m.info)
		f.date(ctx, s, m.info, first)
		if !s.lostAt.IsZero() { // it may have paced itself, and nobody counted
			f.ask(ctx)
		}
		f.remember(m.info)
		s.halted = m.info.Halted
		f.judge(ctx)
		f.reconcile(ctx, s)
	} else {
		f.date(ctx, s, m.info, first)
		f.restore(ctx, s, before)
	}
	f.look(ctx)
}

// renew follows what a CONTROL knows better: a higher epoch, and the shard count of what is served, which is pinned while anything is.
func (f *Fleet) renew(ctx actor.Context, info messages.Info) {
	changed := false
	if info.Epoch > f.epoch {
		f.epoch, changed = info.Epoch+1, true
	}
	served := slices.ContainsFunc(f.inOrder(), func(s *seat) bool { return len(s.granted) > 0 })
	if len(info.Ranges) > 0 && (!served || f.outranks(info)) && info.ShardCount > 0 && info.ShardsPerCluster > 0 &&
		(info.ShardCount != f.settings.shards || info.ShardsPerCluster != f.settings.perCluster) {
		f.settings.shards, f.settings.perCluster, changed = info.ShardCount, info.ShardsPerCluster, true
		f.raise(messages.FleetAsked{ShardCount: info.ShardCount, MaxConcurrency: f.settings.maxConcurrency})
		f.ask(ctx) // the reserve is another one
		for _, o := range f.inOrder() {
			if len(o.granted) > 0 {
				o.granted = nil
				f.date(ctx, o, messages.Info{ShardCount: o.shards, ShardsPerCluster: o.per, Ranges: o.ranges}, true)
			}
		}
	}
	if changed {
		for _, s := range f.inOrder() {
			f.greet(ctx, s)
		}
	}
}

// outranks reports whether what a CONTROL serves was ordered later than all that others serve who were here before it. While CONTROLs gather the later order counts for the
// sharding, as it does for a range.
func (f *Fleet) outranks(info messages.Info) bool {
	newest := int64(-1)
	for _, s := range f.inOrder() {
		if len(s.granted) > 0 {
			for _, r := range s.ranges {
				newest = max(newest, r.Epoch)
			}
		}
	}
	return f.State() == "gathering" && slices.ContainsFunc(info.Ranges, func(r messages.RangeInfo) bool { return r.Epoch > newest })
}

// parted takes note that a link is gone. What the machine serves stays its own for a grace, for its clusters go on, unless it stopped them and said goodbye.
func (f *Fleet) parted(ctx actor.Context, m parted) {
	ctx.Stop(ctx.Sender())
	s := f.seats[m.source]
	if s == nil || s.link != m.link {
		return // superseded
	}
	s.link, s.pid, s.informed, s.spare, s.over = nil, nil, false, false, false
	s.lostAt = time.Now()
	s.losses++
	f.abandon(s)
	defer f.settle(ctx)
	var closed *transport.CloseError
	if errors.As(m.err, &closed) && closed.Code == 1000 && len(s.ranges) == 0 {
		delete(f.seats, s.source)
		f.sorted = nil
		if s.place.HasSlots() && s.knows == s.place {
			f.gifts = append(f.gifts, s.place)
		}
		f.raise(messages.MachineLeft{Source: s.source})
		return
	}
	f.raise(messages.MachineLost{Source: s.source, Err: m.err.Error(), GraceMS: messages.Millis(f.options.Grace)})
	f.expect(ctx, s, f.options.Grace)
}

// present counts the machines that are linked, said what they are, and know their slots.
func (f *Fleet) present() int {
	n := 0
	for _, s := range f.seats {
		if s.ready() {
			n++
		}
	}
	return n
}
