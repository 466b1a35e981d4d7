package master

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
)

// admit lets a link in or closes it, as upstream does: authorization first, then the source, then whether that source is linked already (WIRE A6, B1).
// It gives the seat, nil when the link was closed.
func (f *Fleet) admit(ctx actor.Context, m linkCame) *seat {
	g := m.greeting
	s := f.seats[g.Source]
	switch {
	case subtle.ConstantTimeCompare([]byte(g.Authorization), []byte(f.options.Authorization.Reveal())) == 0:
		return f.turnAway(m, messages.CloseUnauthorised, "Unauthorized")
	case g.Source == "" || len(g.Source) > sourceMax:
		return f.turnAway(m, messages.CloseMalformedRequest, fmt.Sprintf("Malformed Connection Request: source of %d bytes, want 1 to %d", len(g.Source), sourceMax))
	case s == nil && len(f.seats) == machinesMax:
		return f.turnAway(m, messages.CloseMalformedRequest, fmt.Sprintf("%d machines are known, which is the limit", machinesMax))
	case s != nil && s.link != nil && (g.Instance == "" || g.Instance != s.instance):
		f.raise(messages.MachineDuplicate{Source: g.Source, First: s.remote, Second: g.Remote})
		return f.turnAway(m, messages.CloseAlreadyConnected, fmt.Sprintf("source %s is connected from %s; this is %s", g.Source, s.remote, g.Remote))
	case s != nil && s.link != nil: // the same CONTROL, before we noticed the end of its old link
		ctx.Send(s.pid, closeWith{messages.CloseSuperseded, "superseded by a new link"})
	case s == nil:
		s = &seat{source: g.Source}
		f.seats[g.Source] = s
		f.seat(ctx)
	}
	f.machines++
	name := fmt.Sprintf("machine-%d", f.machines)
	pid, err := ctx.SpawnNamed(newMachine(f.W, name, g.Source, m.link, ctx.Self(), actor.NewPID(ctx.Self().Address, ctx.Self().Id+"/governor"), f.options.Heartbeat), name)
	if err != nil {
		panic(err) // every name is used once
	}
	s.pid, s.link, s.instance, s.remote, s.informed = pid, m.link, g.Instance, g.Remote, false
	ctx.Send(pid, seated{s.place})
	return s
}

func (f *Fleet) turnAway(m linkCame, code int, why string) *seat {
	f.raise(messages.MachineRefused{Remote: m.greeting.Remote, Source: fmt.Sprintf("%.60s", m.greeting.Source), CloseCode: code, Err: why})
	m.link.Receive(func([]byte) {}, func(error) {})
	m.link.Close(code, why)
	return nil
}

// seat numbers the machines anew, in the order of their sources.
func (f *Fleet) seat(ctx actor.Context) {
	all := f.inOrder()
	for i, s := range all {
		if place := (messages.Place{Index: i, Of: len(all)}); place != s.place {
			s.place = place
			if s.pid != nil {
				ctx.Send(s.pid, seated{place})
			}
		}
	}
}

// greet tells a CONTROL what the fleet is.
func (f *Fleet) greet(ctx actor.Context, s *seat) {
	if s.link == nil {
		return
	}
	place, now := s.place, messages.At(time.Now())
	ctx.Send(s.pid, messages.Initialise{
		Token: f.options.Token, HeartbeatInterval: new(messages.Millis(f.options.Heartbeat)), ShardCount: new(f.settings.shards),
		MaxConcurrency: new(f.settings.maxConcurrency), ShardsPerCluster: new(f.settings.perCluster), Machine: &place, Epoch: f.epoch, Now: &now,
		Features: []string{messages.FeatureInfo, messages.FeatureHeartbeat, messages.FeaturePermits, messages.FeatureOrders},
	})
}

// informed takes a CONTROL at its word: what it serves is its own.
func (f *Fleet) informed(ctx actor.Context, m informed) {
	s := f.seats[m.source]
	if s == nil || s.link != m.link {
		return
	}
	first := !s.informed
	s.informed, s.host, s.ranges = true, m.info.Hostname, m.info.Ranges
	if first {
		joined := messages.MachineJoined{Source: s.source, Host: s.host, Version: m.info.Version}
		for _, r := range s.ranges {
			joined.Serves = append(joined.Serves, r.Range.String())
		}
		f.raise(joined)
		f.renew(ctx, m.info)
		if m.info.Halted != nil && m.info.Halted.Token == f.options.Token.Fingerprint() {
			f.halt(ctx, *m.info.Halted)
		}
		f.reconcile(ctx, s)
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
	if len(info.Ranges) > 0 && !served && info.ShardCount > 0 && info.ShardsPerCluster > 0 &&
		(info.ShardCount != f.settings.shards || info.ShardsPerCluster != f.settings.perCluster) {
		f.settings.shards, f.settings.perCluster, changed = info.ShardCount, info.ShardsPerCluster, true
		f.raise(messages.FleetAsked{ShardCount: info.ShardCount, MaxConcurrency: f.settings.maxConcurrency})
	}
	if changed {
		for _, s := range f.inOrder() {
			f.greet(ctx, s)
		}
	}
}

// reconcile makes a returned CONTROL and our grants agree: what it serves and nobody else was given is its own, what others have it lets go, what it was given and does
// not serve it is given again.
func (f *Fleet) reconcile(ctx actor.Context, s *seat) {
	if f.halted != nil {
		f.shutDown(ctx, s)
		return
	}
	for _, r := range s.ranges {
		switch {
		case f.grantedTo(r.Range, s) != nil:
			f.order(ctx, s, func(id string) messages.FromMaster {
				return messages.Offload{ID: id, Range: r.Range, Reason: "served by another machine"}
			})
		case !slices.ContainsFunc(s.granted, func(g messages.ShardRange) bool { return g.Overlaps(r.Range) }):
			s.granted = append(s.granted, r.Range)
		}
	}
	for _, g := range s.granted {
		if !slices.ContainsFunc(s.ranges, func(r messages.RangeInfo) bool { return r.Range.Overlaps(g) }) {
			f.connect(ctx, s, g)
		}
	}
}

// grantedTo is another machine that a part of the range was given to.
func (f *Fleet) grantedTo(r messages.ShardRange, but *seat) *seat {
	for _, s := range f.inOrder() {
		if s != but && slices.ContainsFunc(s.granted, r.Overlaps) {
			return s
		}
	}
	return nil
}

// begin ends the wait.
func (f *Fleet) begin(ctx actor.Context) {
	f.Enter("serving", f.serving)
	f.place(ctx)
}

// place gives what nobody has to the machines that have nothing, or to all where every machine has something. A machine without a share is a spare.
func (f *Fleet) place(ctx actor.Context) {
	if f.halted != nil {
		return
	}
	var given []messages.ShardRange
	var here, idle []*seat
	for _, s := range f.inOrder() {
		given = append(given, s.granted...)
		if s.link != nil && s.informed {
			here = append(here, s)
			if len(s.granted) == 0 {
				idle = append(idle, s)
			}
		}
	}
	takers := idle
	if len(takers) == 0 {
		takers = here
	}
	free := plan.Unserved(f.settings.shards, given)
	for i, share := range plan.Place(free, f.settings.perCluster, len(takers)) {
		s := takers[i]
		for _, r := range share {
			s.granted, s.spare = append(s.granted, r), false
			f.raise(messages.FleetPlaced{Source: s.source, Shards: r.String()})
			f.connect(ctx, s, r)
		}
		if len(s.granted) == 0 && !s.spare {
			s.spare = true
			f.raise(messages.FleetPlaced{Source: s.source})
			f.order(ctx, s, func(id string) messages.FromMaster { return messages.Connect{ID: id, Redundant: true} })
		}
	}
}

func (f *Fleet) connect(ctx actor.Context, s *seat, r messages.ShardRange) {
	f.order(ctx, s, func(id string) messages.FromMaster { return messages.Connect{ID: id, Range: &r} })
}

// order sends an order with an id of its own.
func (f *Fleet) order(ctx actor.Context, s *seat, with func(id string) messages.FromMaster) {
	s.orders++
	ctx.Send(s.pid, with(fmt.Sprintf("%d-%s-%d", f.epoch, s.source, s.orders)))
}

// look says once that the whole bot is up.
func (f *Fleet) look(ctx actor.Context) {
	var up []messages.ShardRange
	machines := 0
	for _, s := range f.inOrder() {
		for _, r := range s.ranges {
			if r.State == messages.RangeOperational {
				up = append(up, r.Range)
			}
		}
		if len(s.ranges) > 0 {
			machines++
		}
	}
	if !f.whole && f.settings.shards > 0 && len(plan.Unserved(f.settings.shards, up)) == 0 {
		f.whole = true
		f.raise(messages.FleetOperational{ShardCount: f.settings.shards, Machines: machines, TookMS: messages.Millis(time.Since(f.began))})
	}
}

// parted takes note that a link is gone. What the machine serves stays its own, for its clusters go on, unless it stopped them and said goodbye.
func (f *Fleet) parted(ctx actor.Context, m parted) {
	ctx.Stop(ctx.Sender())
	s := f.seats[m.source]
	if s == nil || s.link != m.link {
		return // superseded
	}
	s.link, s.pid, s.informed, s.spare = nil, nil, false, false
	var closed *transport.CloseError
	if errors.As(m.err, &closed) && closed.Code == 1000 && len(s.ranges) == 0 {
		s.granted = nil
		f.raise(messages.MachineLeft{Source: s.source})
		return
	}
	f.raise(messages.MachineLost{Source: s.source, Err: m.err.Error()})
}

// present counts the machines that are linked and said what they are.
func (f *Fleet) present() int {
	n := 0
	for _, s := range f.seats {
		if s.link != nil && s.informed {
			n++
		}
	}
	return n
}

// inOrder is every seat by its source: what is done to several is done in this order.
func (f *Fleet) inOrder() []*seat {
	var all []*seat
	for _, source := range slices.Sorted(maps.Keys(f.seats)) {
		all = append(all, f.seats[source])
	}
	return all
}

// raise tells an event.
func (f *Fleet) raise(e messages.Event) {
	f.W.LogEvent(e)
	if f.options.Told != nil {
		f.options.Told(e)
	}
}
