package link

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file decides which settings apply here: MASTER's, but the sharding of what is served is
// pinned.

// sharding describes how the bot is cut into clusters. A machine serves by one at a time: sessions
// and cluster ids mean nothing under another.
type sharding struct{ shards, perCluster int }

func shardingOf(s messages.Settings) sharding { return sharding{s.ShardCount, s.ShardsPerCluster} }

func (s sharding) String() string {
	return fmt.Sprintf("shard_count %d in clusters of %d", s.shards, s.perCluster)
}

// pinned returns the sharding of what is served, about to be, or still being released; zero:
// nothing is. It takes precedence over MASTER's.
func (l *Link) pinned() sharding {
	if len(l.status.Ranges)+len(l.orders.pending)+len(l.orders.offloads) == 0 {
		return sharding{}
	}
	return shardingOf(l.settings)
}

// unpin adopts MASTER's sharding once the last range of another one is gone.
func (l *Link) unpin() {
	if l.sharding == (sharding{}) || l.sharding == shardingOf(l.settings) || l.pinned() != (sharding{}) {
		return
	}
	l.settings.ShardCount, l.settings.ShardsPerCluster = l.sharding.shards, l.sharding.perCluster
	l.unconfirmed = false // nothing is left of what was taken back
	l.keepServed()
	l.deliver(Clusters, l.settings)
	l.deliver(Gate, l.settings)
}

// initialise handles the fleet's settings, which MASTER sends first on a link and again when they
// change.
func (l *Link) initialise(p messages.Initialise) {
	l.do(Learn{p.Token})
	if plan.EpochOfWrongClock(p, l.memory.Epoch) {
		l.do(Warn{Text: fmt.Sprintf("epoch %d, obeyed before, lies in the future of MASTER's, %d: a clock was wrong, and it is forgotten", l.memory.Epoch, p.Epoch)})
		l.forgetEpochs()
	}
	if p.Epoch < l.memory.Epoch {
		l.cannotObey(messages.CloseStaleEpoch, fmt.Errorf("epoch %d is older than %d, which this machine obeyed before: a MASTER of the past; "+
			"if it is the right one, `control accept-master` has it obeyed", p.Epoch, l.memory.Epoch))
		return
	}
	pinned := l.pinned()
	s, err := l.settingsOf(p, pinned)
	if err != nil {
		l.cannotObey(0, err)
		return
	}
	l.memory.Epoch, l.memory.Drained = p.Epoch, value(p.Drained, l.memory.Drained)
	l.memory.LeaseMS = value(p.LeaseMS, 0)
	s.Halted = l.isHalted(s.Token)
	l.unconfirmed = l.unconfirmed || l.settings.Token == "" && len(l.status.Ranges) > 0
	l.features, l.sharding = p.Features, shardingOf(s)
	if pinned.shards > 0 {
		s.ShardCount, s.ShardsPerCluster = pinned.shards, pinned.perCluster
	}
	l.settings = s
	l.keepServed()
	l.interval = defaultInterval
	if p.HeartbeatInterval != nil {
		l.interval = p.HeartbeatInterval.Duration()
	}
	if l.state == Greeting {
		l.greeted(s)
	}
	switch {
	case !l.unconfirmed:
		l.deliver(Clusters, s)
	case !l.announced(messages.FeatureConfirm):
		l.startUnconfirmed()
	}
	l.leased(p)
	l.deliver(Gate, s)
	// sessions before info: MASTER grants what info shows as free at once, with the sessions that it
	// knows
	if l.announced(messages.FeatureSessions) {
		l.deliver(Sessions, l.reports()) // LinkUp follows
	} else {
		l.deliver(Gate, messages.LinkUp{}) // the Gate answers, and info follows
	}
}

// greeted handles the first initialise of a link, which is up now.
func (l *Link) greeted(s messages.Settings) {
	l.upAt = l.now
	l.raise(messages.MasterLinked{URL: l.options.URL, ShardCount: s.ShardCount, MaxConcurrency: s.MaxConcurrency, ShardsPerCluster: s.ShardsPerCluster,
		Epoch: s.Epoch, Features: l.features, Halted: s.Halted})
	l.settle()
	l.sendUnsent()
	if l.announced(messages.FeatureHeartbeat) {
		l.nextBeat()
	}
}

// startUnconfirmed lets the clusters start the part of what was taken back that does not run.
func (l *Link) startUnconfirmed() {
	if l.unconfirmed {
		l.unconfirmed = false
		l.deliver(Clusters, l.settings)
	}
}

// settingsOf returns the settings of an initialise. What MASTER leaves out comes from what is
// pinned and from this machine's options.
func (l *Link) settingsOf(p messages.Initialise, pinned sharding) (messages.Settings, error) {
	known := messages.Settings{ShardCount: pinned.shards, MaxConcurrency: 1}
	// this MASTER does not know the fleet and asks this machine
	if slices.Contains(p.Features, messages.FeatureInfo) && l.settings.ShardCount > 0 {
		known = l.settings
	}
	s := messages.Settings{Token: p.Token, ShardCount: value(p.ShardCount, known.ShardCount), MaxConcurrency: value(p.MaxConcurrency, known.MaxConcurrency), Epoch: p.Epoch,
		Place: value(p.Machine, l.settings.Place), Permits: slices.Contains(p.Features, messages.FeaturePermits),
		Lent: l.memory.Lent}
	own := l.options.ShardsPerCluster
	s.ShardsPerCluster = value(p.ShardsPerCluster, own)
	if own != 0 && s.ShardsPerCluster != own {
		return s, fmt.Errorf("shards_per_cluster: MASTER has %d, but cluster.shards_per_cluster here is %d; set it in one place", s.ShardsPerCluster, own)
	}
	if beats := l.options.Heartbeat; p.LeaseMS != nil && p.LeaseMS.Duration() < 2*beats {
		return s, fmt.Errorf("lease_ms: MASTER has %v, and bots learn of it by their heartbeats: want at least twice cluster.heartbeat_interval %v", p.LeaseMS.Duration(), beats)
	}
	switch {
	case p.ShardsPerCluster == nil && pinned.perCluster > 0:
		s.ShardsPerCluster = pinned.perCluster
	case s.ShardsPerCluster == 0:
		s.ShardsPerCluster = cmp.Or(known.ShardsPerCluster, plan.ShardsPerCluster(s.MaxConcurrency))
	}
	l.hear(p.Now, l.lease.from)
	s.ClockAhead, s.SlotsAhead = l.settings.ClockAhead, l.settings.SlotsAhead
	return s, nil
}

func value[T any](p *T, absent T) T {
	if p == nil {
		return absent
	}
	return *p
}

// cannotObey closes a link whose MASTER cannot be obeyed and reports why, once for each reason.
func (l *Link) cannotObey(code int, err error) {
	if !l.repeated(err) {
		l.raise(messages.MasterRefusedUs{CloseCode: code, Err: err.Error()})
	}
	l.do(Close{l.link, code, fmt.Sprintf("%.120s", err.Error())})
	l.unlink()
	l.in(plan.RedialAfter(messages.CloseStaleEpoch, true, 0, l.options.Rand()))
}

// accept forgets the epochs, by order of an operator, and dials at once.
func (l *Link) accept() {
	if l.up() {
		l.raise(messages.OrderRefused{Order: messages.OrderAccept, Err: "MASTER is linked, and obeyed"})
		return
	}
	l.reported = ""
	l.forgetEpochs()
	if l.state == Dialing && l.dial == 0 {
		l.in(0)
	}
}

// forgetEpochs makes any next MASTER acceptable. What is served has epoch 0 until that MASTER
// confirms it.
func (l *Link) forgetEpochs() {
	l.memory.Epoch, l.settings.Epoch = 0, 0
	l.memory.Resumed = nil // its epoch may be later than the next halts, which it would lift
	if l.memory.Halted != nil {
		h := *l.memory.Halted
		h.Epoch = 0
		l.memory.Halted = &h
	}
	ranges := slices.Clone(l.status.Ranges)
	for i := range ranges {
		ranges[i].Epoch = 0
	}
	l.status.Ranges = ranges
	l.save()
	l.deliver(Clusters, messages.AcceptMaster{})
}

func (l *Link) heartbeatAck(p messages.HeartbeatAck) {
	l.renewed(p.Seq)
	l.heardClock(p.Now, l.lease.from)
	if p.Share != nil {
		if l.memory.Lent != *p.Share {
			l.memory.Lent, l.settings.Lent = *p.Share, *p.Share
			l.save()
			l.deliver(Gate, l.settings)
		}
		l.deliver(Gate, *p.Share)
	}
	if p.Machine != nil && *p.Machine != l.settings.Place {
		l.settings.Place = *p.Machine
		l.keepServed()
		l.deliver(Gate, l.settings)
	}
}

// heardClock takes MASTER's clock from a packet that was requested at asked; zero: unknown.
func (l *Link) heardClock(now *messages.UnixMillis, asked time.Time) {
	if l.hear(now, asked) {
		l.deliver(Gate, l.settings)
	}
}
