package fleet

import (
	"fmt"
	"slices"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file admits CONTROLs, greets them, and takes their first report.

// welcome admits a link and greets it, or refuses it, as upstream does: authorization first, then
// the source, then whether that source is linked already (PROTOCOL A6, B1).
func (f *Fleet) welcome(a Arrived) {
	m := f.machines[a.Source]
	switch {
	case !a.Authorized:
		f.refuseLink(a, messages.CloseUnauthorised, "Unauthorized")
		return
	case a.Source == "" || len(a.Source) > sourceMax:
		f.refuseLink(a, messages.CloseMalformedRequest, fmt.Sprintf("Malformed Connection Request: source of %d bytes, want 1 to %d", len(a.Source), sourceMax))
		return
	case m == nil && len(f.machines) >= machinesMax:
		f.refuseLink(a, messages.CloseMalformedRequest, fmt.Sprintf("%d machines are known, which is the limit", machinesMax))
		return
	case m != nil && m.link != 0 && (a.Instance == "" || a.Instance != m.instance):
		f.refuseDuplicate(a, m, fmt.Sprintf("source %s is connected from %s; this is %s", a.Source, m.remote, a.Remote))
		return
	case m != nil && m.link != 0: // the same CONTROL, before the end of its old link was noticed
		f.do(Close{m.link, messages.CloseSuperseded, "superseded by a new link"})
	case m != nil && m.stranger(a.Instance) && len(m.granted) > 0 && f.now.Before(m.returnBy):
		f.refuseDuplicate(a, m, fmt.Sprintf("source %s is another CONTROL's, of %s, which is away and may return; this is %s", a.Source, m.remote, a.Remote))
		return
	case m != nil && m.stranger(a.Instance):
		m = f.succeed(m, a.Instance)
	case m == nil:
		m = newMachine(a.Source)
		f.machines[a.Source], f.sorted = m, nil
	}
	m.link, m.instance, m.remote, m.informed = a.Link, a.Instance, a.Remote, false
	f.do(Admit{a.Link, a.Source})
	f.greet(m)
}

// succeed passes the name of a CONTROL that is away to another one, and returns the machine of
// that. The former keeps its slots, and what is known of it, under another name: it may be alive.
func (f *Fleet) succeed(former *machine, instance string) *machine {
	if len(former.granted) > 0 { // its grace is over, and no machine was there to take its ranges
		f.replace(former)
	}
	by := func(instance string) string { return fmt.Sprintf("%s (%s)", former.source, instance) }
	source := former.source
	m := f.machines[by(instance)]
	if m == nil || m.link != 0 { // linked: the name is another machine's
		m = newMachine(source)
	} else {
		delete(f.machines, m.source)
	}
	m.source, m.losses, m.drained = source, max(m.losses, former.losses)+1, former.drained
	former.source, former.losses = by(former.instance), m.losses
	f.machines[source], f.machines[former.source], f.sorted = m, former, nil
	f.after(forgetAfter, forgetDue{former.source, former.losses})
	return m
}

func (f *Fleet) refuseDuplicate(a Arrived, first *machine, why string) {
	if _, ok := f.duplicates.Pass(f.now); ok {
		f.raise(messages.MachineDuplicate{Source: a.Source, First: first.remote, Second: a.Remote})
	}
	f.refuseLink(a, messages.CloseAlreadyConnected, why)
}

func (f *Fleet) refuseLink(a Arrived, code int, why string) {
	if times, ok := f.refusals.Pass(f.now); ok {
		f.raise(messages.MachineRefused{Remote: a.Remote, Source: fmt.Sprintf("%.60s", a.Source), CloseCode: code, Err: why, Times: plan.Times(times)})
	}
	f.do(Refuse{a.Link, code, why})
}

// greet sends a CONTROL the fleet's settings, as soon as they are known.
func (f *Fleet) greet(m *machine) {
	known := f.settings.shards > 0
	if m.link == 0 || !known && f.blindEpoch == 0 {
		return
	}
	i := messages.Initialise{
		HeartbeatInterval: new(messages.Millis(f.options.Heartbeat)), Epoch: f.epoch,
		Features: []string{messages.FeatureInfo, messages.FeatureHeartbeat, messages.FeatureSessions, messages.FeatureOrders, messages.FeatureConfirm, messages.FeatureSnapshots},
	}
	if known {
		i.Features = append(i.Features, messages.FeaturePermits)
		i.ShardCount, i.MaxConcurrency, i.ShardsPerCluster = new(f.settings.shards), new(f.settings.maxConcurrency), new(f.settings.perCluster)
	}
	if m.place.Of > 0 {
		i.Machine = new(m.place)
	}
	i.Drained = m.drained
	if f.options.Lease > 0 {
		i.LeaseMS = new(messages.Millis(f.options.Lease))
	}
	m.epoch = f.epoch
	f.do(Greet{m.link, i})
	if m.instance == "" && !m.informed { // not of PROTOCOL B1: it may not know info either
		f.after(speakWithin, Informed{Source: m.source, Link: m.link, Assumed: true})
	}
}

// speakWithin is the time a CONTROL that speaks PROTOCOL A6 alone, as far as its greeting shows,
// may take to report what it is. After that it counts as one that never does.
const speakWithin = 10 * time.Second

// informed takes a CONTROL's report: what it serves is its own.
func (f *Fleet) informed(e Informed) {
	m := f.machines[e.Source]
	if !e.Assumed {
		f.keepSent = false // the governor waits for it
	}
	// a report of the blind epoch is repeated
	if m == nil || m.link != e.Link || e.Assumed && m.informed || f.blindEpoch > 0 && e.Info.Epoch == f.blindEpoch {
		f.keepSlots()
		return
	}
	if m.assumed && !e.Assumed { // it reports after all
		m.informed = false
	}
	m.assumed = e.Assumed
	// perhaps MASTER was cut off: every machine gets the time to return
	if f.present() == 0 && f.state == Serving {
		defer f.expectAll()
	}
	first, before := !m.informed, m.ranges
	m.take(e.Info)
	f.adoptSlots(m)
	if first {
		f.joined(m, e.Info)
	} else {
		f.checkSharding(m, e.Info, first)
		f.restore(m, before)
	}
	f.checkReady()
}

// take records what a CONTROL reports of itself.
func (m *machine) take(i messages.Info) {
	m.informed, m.host, m.ranges, m.believes = true, i.Hostname, i.Ranges, i.Machine
	m.shards, m.perCluster = i.ShardCount, i.ShardsPerCluster
	m.capacity = plan.Capacity{CPUs: i.CPUs, Memory: i.MemoryBytes, Weight: i.Weight}
	if m.drained == nil {
		m.drained = new(i.Drained)
	}
	m.pacesItself, m.takesOrders = !slices.Contains(i.Features, messages.FeaturePermits), slices.Contains(i.Features, messages.FeatureOrders)
}

// joined is the first report on a link.
func (f *Fleet) joined(m *machine, i messages.Info) {
	if f.firstReturn.IsZero() && len(m.ranges) > 0 && m.lostAt.IsZero() {
		f.firstReturn = f.now
		f.after(max(f.options.Grace, returnWithin), tryAgain{}) // awaitsReturns
	}
	joined := messages.MachineJoined{Source: m.source, Host: m.host, Version: i.Version}
	for _, r := range m.ranges {
		joined.Serves = append(joined.Serves, r.Range.String())
	}
	f.raise(joined)
	f.follow(i)
	f.checkSharding(m, i, true)
	if !m.lostAt.IsZero() { // it may have paced itself, which nothing counted
		f.ask()
	}
	f.rememberResumed(i)
	m.halted = i.Halted
	f.judgeHalts()
	f.reconcile(m)
}

// follow takes over what a CONTROL knows better: a higher epoch, and the sharding of what is
// served, which is pinned while anything is.
func (f *Fleet) follow(i messages.Info) {
	changed := false
	if i.Epoch > f.epoch {
		f.epoch, changed = i.Epoch+1, true
	}
	served := slices.ContainsFunc(f.inOrder(), func(m *machine) bool { return len(m.granted) > 0 })
	if len(i.Ranges) > 0 && (!served || f.outranks(i)) && i.ShardCount > 0 && i.ShardsPerCluster > 0 &&
		(i.ShardCount != f.settings.shards || i.ShardsPerCluster != f.settings.perCluster) {
		f.settings.shards, f.settings.perCluster, changed = i.ShardCount, i.ShardsPerCluster, true
		f.raise(messages.FleetAsked{ShardCount: i.ShardCount, MaxConcurrency: f.settings.maxConcurrency})
		f.ask() // the reserve is another one
		for _, m := range f.inOrder() {
			if len(m.granted) > 0 {
				m.granted = nil
				f.checkSharding(m, messages.Info{ShardCount: m.shards, ShardsPerCluster: m.perCluster, Ranges: m.ranges}, true)
			}
		}
	}
	if changed {
		for _, m := range f.inOrder() {
			f.greet(m)
		}
	}
}

// outranks reports whether what a CONTROL serves was ordered later than what all others serve that
// came before it. In state Gathering the later order decides the sharding, as it does for a range.
func (f *Fleet) outranks(i messages.Info) bool {
	newest := int64(-1)
	for _, m := range f.inOrder() {
		if len(m.granted) > 0 {
			for _, r := range m.ranges {
				newest = max(newest, r.Epoch)
			}
		}
	}
	return f.state == Gathering && slices.ContainsFunc(i.Ranges, func(r messages.RangeInfo) bool { return r.Epoch > newest })
}

// parted records that a link ended. The machine's ranges stay its own for a grace, for its clusters
// go on, unless it stopped them and announced its end.
func (f *Fleet) parted(e Parted) {
	f.do(End{e.Link})
	m := f.machines[e.Source]
	if m == nil || m.link != e.Link {
		return // superseded
	}
	m.link, m.informed, m.spare, m.overdue = 0, false, false, false
	m.lostAt = f.now
	m.losses++
	f.failOrdersAt(m)
	defer f.settle()
	if e.Code == closedByPeer && len(m.ranges) == 0 {
		delete(f.machines, m.source)
		f.sorted = nil
		if m.place.HasSlots() && m.believes == m.place {
			f.donations = append(f.donations, m.place)
		}
		f.raise(messages.MachineLeft{Source: m.source})
		return
	}
	f.raise(messages.MachineLost{Source: m.source, Err: e.Err, GraceMS: messages.Millis(f.options.Grace)})
	f.expect(m, f.options.Grace)
}

// closedByPeer is the websocket close code of a CONTROL that ends in order (RFC 6455, 7.4.1).
const closedByPeer = 1000

// present counts the machines that are linked, reported what they are, and know their slots.
func (f *Fleet) present() int {
	n := 0
	for _, m := range f.machines {
		if m.ready() {
			n++
		}
	}
	return n
}

// checkSharding checks whether what a machine serves is of another sharding than the fleet's. Then
// the machine has no claim to it, and has to stop it before it gets anything, which it is ordered
// once a link. A machine that does not report its sharding is trusted. Where nothing is served by
// the fleet's sharding, the machine's becomes the fleet's (follow).
func (f *Fleet) checkSharding(m *machine, i messages.Info, first bool) {
	ordered := m.outdated && !first
	m.outdated = len(i.Ranges) > 0 && i.ShardCount > 0 && i.ShardsPerCluster > 0 && (i.ShardCount != f.settings.shards || i.ShardsPerCluster != f.settings.perCluster)
	if !m.outdated {
		return
	}
	m.ranges = nil
	if ordered || m.link == 0 { // one that is away is ordered when it returns
		return
	}
	f.raise(messages.MachineOutdated{Source: m.source, ShardCount: i.ShardCount, ShardsPerCluster: i.ShardsPerCluster, Ranges: len(i.Ranges)})
	for _, r := range i.Ranges {
		f.offload(m, r.Range, fmt.Sprintf("of shard_count %d in clusters of %d, the fleet's is %d in clusters of %d", i.ShardCount, i.ShardsPerCluster, f.settings.shards, f.settings.perCluster), offloadWithin)
	}
}
