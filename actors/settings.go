package actors

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file is what MASTER says the fleet is, and what of that holds here: how the bot is sharded is pinned by what is served.

// sharding is how the bot is cut into clusters. A machine serves by one at a time: sessions, and the ids of clusters, mean nothing beside those of another.
type sharding struct{ shards, perCluster int }

func shardingOf(s messages.Settings) sharding { return sharding{s.ShardCount, s.ShardsPerCluster} }

func (s sharding) String() string {
	return fmt.Sprintf("shard_count %d in clusters of %d", s.shards, s.perCluster)
}

// pinned is the sharding of what is served, about to be, or not yet let go of; zero: of nothing. It wins over what MASTER says.
func (m *MasterLink) pinned() sharding {
	if len(m.standing.Ranges)+len(m.orders.pending)+len(m.orders.offloads) == 0 {
		return sharding{}
	}
	return shardingOf(m.settings)
}

// unpin takes MASTER's word for the sharding, once the last of another one is gone.
func (m *MasterLink) unpin(ctx actor.Context) {
	if m.word == (sharding{}) || m.word == shardingOf(m.settings) || m.pinned() != (sharding{}) {
		return
	}
	m.settings.ShardCount, m.settings.ShardsPerCluster = m.word.shards, m.word.perCluster
	m.doubtful = false // nothing is left of what was taken back
	m.keepServed(ctx)
	ctx.Send(m.house.Clusters, m.settings)
	ctx.Send(m.house.Gate, m.settings)
}

// initialise says what the fleet is. On a link that is up already it may change what is not served.
func (m *MasterLink) initialise(ctx actor.Context, p messages.Initialise) {
	m.W.Secrets.Learn(p.Token)
	if plan.EpochOfWrongClock(p, m.memory.Epoch) {
		m.Log.Warn().Int64("epoch", p.Epoch).Int64("obeyed", m.memory.Epoch).Msg("the epoch that was obeyed before lies in MASTER's future: a clock was wrong, and it is forgotten")
		m.forgetEpochs(ctx)
	}
	if p.Epoch < m.memory.Epoch {
		m.cannotObey(ctx, messages.CloseStaleEpoch, fmt.Errorf("epoch %d is older than %d, which this machine obeyed before: a MASTER of the past; "+
			"if it is the right one, `control accept-master` has it obeyed", p.Epoch, m.memory.Epoch))
		return
	}
	pinned := m.pinned()
	s, err := m.settingsOf(p, pinned)
	if err != nil {
		m.cannotObey(ctx, 0, err)
		return
	}
	m.memory.Epoch, m.memory.Drained = p.Epoch, value(p.Drained, m.memory.Drained)
	m.memory.LeaseMS = value(p.LeaseMS, 0)
	s.Halted = m.halted(ctx, s.Token)
	m.doubtful = m.doubtful || m.settings.Token == "" && len(m.standing.Ranges) > 0
	m.features, m.word = p.Features, shardingOf(s)
	if pinned.shards > 0 {
		s.ShardCount, s.ShardsPerCluster = pinned.shards, pinned.perCluster
	}
	m.settings = s
	m.keepServed(ctx)
	m.interval = defaultInterval
	if p.HeartbeatInterval != nil {
		m.interval = p.HeartbeatInterval.Duration()
	}
	if m.State() == "greeting" {
		m.upAt = time.Now()
		m.raise(ctx, messages.MasterLinked{URL: m.options.Master.URL, ShardCount: s.ShardCount, MaxConcurrency: s.MaxConcurrency, ShardsPerCluster: s.ShardsPerCluster,
			Epoch: s.Epoch, Features: p.Features, Halted: s.Halted})
		m.rest(ctx)
		m.tellUnheard(ctx)
		if m.announced(messages.FeatureHeartbeat) {
			m.nextBeat(ctx)
		}
	}
	switch {
	case !m.doubtful:
		ctx.Send(m.house.Clusters, s)
	case !m.announced(messages.FeatureConfirm):
		m.trust(ctx)
	}
	m.leased(ctx, p)
	ctx.Send(m.house.Gate, s)
	if m.announced(messages.FeatureSessions) { // told before info: what that shows to be free is given to others at once, with the sessions that MASTER knows
		ctx.Send(m.house.Sessions, messages.ReportSessions{On: true}) // LinkUp follows
	} else {
		ctx.Send(m.house.Gate, messages.LinkUp{}) // its answer is followed by info
	}
}

// trust lets the clusters start what was taken back and does not run.
func (m *MasterLink) trust(ctx actor.Context) {
	if m.doubtful {
		m.doubtful = false
		ctx.Send(m.house.Clusters, m.settings)
	}
}

// settingsOf makes the fleet's settings of an initialise, of what is pinned where MASTER does not say, and of our own.
func (m *MasterLink) settingsOf(p messages.Initialise, pinned sharding) (messages.Settings, error) {
	known := messages.Settings{ShardCount: pinned.shards, MaxConcurrency: 1}
	if slices.Contains(p.Features, messages.FeatureInfo) && m.settings.ShardCount > 0 { // it does not know yet, and asks us by it
		known = m.settings
	}
	s := messages.Settings{Token: p.Token, ShardCount: value(p.ShardCount, known.ShardCount), MaxConcurrency: value(p.MaxConcurrency, known.MaxConcurrency), Epoch: p.Epoch,
		Place: value(p.Machine, m.settings.Place), Permits: slices.Contains(p.Features, messages.FeaturePermits),
		Lent: m.memory.Lent}
	own := m.options.Cluster.ShardsPerCluster
	s.ShardsPerCluster = value(p.ShardsPerCluster, own)
	if own != 0 && s.ShardsPerCluster != own {
		return s, fmt.Errorf("shards_per_cluster: MASTER says %d, cluster.shards_per_cluster here is %d; set it in one place", s.ShardsPerCluster, own)
	}
	if beats := m.options.Cluster.Heartbeat; p.LeaseMS != nil && p.LeaseMS.Duration() < 2*beats {
		return s, fmt.Errorf("lease_ms: MASTER says %v, and the bots hear of it by their heartbeats: want at least twice cluster.heartbeat_interval %v", p.LeaseMS.Duration(), beats)
	}
	switch {
	case p.ShardsPerCluster == nil && pinned.perCluster > 0:
		s.ShardsPerCluster = pinned.perCluster
	case s.ShardsPerCluster == 0:
		s.ShardsPerCluster = cmp.Or(known.ShardsPerCluster, plan.ShardsPerCluster(s.MaxConcurrency))
	}
	m.hear(p.Now, m.lease.from)
	s.ClockAhead, s.SlotsAhead = m.settings.ClockAhead, m.settings.SlotsAhead
	return s, nil
}

func value[T any](p *T, absent T) T {
	if p == nil {
		return absent
	}
	return *p
}

// cannotObey ends a link whose MASTER cannot be obeyed, and says so loudly, once for each reason.
func (m *MasterLink) cannotObey(ctx actor.Context, code int, err error) {
	if err.Error() != m.said {
		m.raise(ctx, messages.MasterRefusedUs{CloseCode: code, Err: err.Error()})
	}
	m.said = err.Error()
	m.link.Close(code, fmt.Sprintf("%.120s", err.Error()))
	m.unlink(ctx)
	m.In(ctx, plan.RedialAfter(messages.CloseStaleEpoch, true, 0, m.W.Rand()))
}

// accept forgets the epochs that were obeyed, by order of an operator, and dials at once. What is served stays; it is by no order of any MASTER until the next one confirms it.
func (m *MasterLink) accept(ctx actor.Context) {
	if m.State() == "standby" || m.State() == "serving" {
		m.raise(ctx, messages.OrderRefused{Order: messages.OrderAccept, Err: "MASTER is linked, and obeyed"})
		return
	}
	m.said = ""
	m.forgetEpochs(ctx)
	if m.State() == "dialing" && m.cancel == nil {
		m.In(ctx, 0)
	}
}

// forgetEpochs obeys whatever MASTER comes next. What is served is by no order of any MASTER until
// that one confirms it.
func (m *MasterLink) forgetEpochs(ctx actor.Context) {
	m.memory.Epoch, m.settings.Epoch = 0, 0
	m.memory.Resumed = nil // of a later epoch it would lift the halts to come
	if m.memory.Halted != nil {
		m.memory.Halted.Epoch = 0
	}
	for i := range m.standing.Ranges {
		m.standing.Ranges[i].Epoch = 0
	}
	m.save(ctx)
	ctx.Send(m.house.Clusters, messages.AcceptMaster{})
}

func (m *MasterLink) heartbeatAck(ctx actor.Context, p messages.HeartbeatAck) {
	m.renewed(ctx, p.Seq)
	m.clock(ctx, p.Now, m.lease.from)
	if p.Share != nil {
		if m.memory.Lent != *p.Share {
			m.memory.Lent, m.settings.Lent = *p.Share, *p.Share
			m.save(ctx)
			ctx.Send(m.house.Gate, m.settings)
		}
		ctx.Send(m.house.Gate, *p.Share)
	}
	if p.Machine != nil && *p.Machine != m.settings.Place {
		m.settings.Place = *p.Machine
		m.keepServed(ctx)
		ctx.Send(m.house.Gate, m.settings)
	}
}

// clock takes note of what a packet says of MASTER's clock, which was asked for at a moment; zero: it is not known when.
func (m *MasterLink) clock(ctx actor.Context, now *messages.UnixMillis, asked time.Time) {
	if m.hear(now, asked) {
		ctx.Send(m.house.Gate, m.settings)
	}
}

// atOnce is how soon an answer comes that shows MASTER's clock as well as slots need it: that of
// two machines may differ by 500 ms (PROTOCOL B3). One that waited in the socket while we slept
// shows nothing.
const atOnce = 500 * time.Millisecond

// hear is clock for the settings, and reports whether they changed. The quickest packet shows
// MASTER's clock best; an answer that came at once and looks late proves that a clock was set. How
// old a packet is goes by the wall clock, for it may have waited while the machine was suspended;
// the slots go by the steady one, for they are to stay where they are.
func (m *MasterLink) hear(now *messages.UnixMillis, asked time.Time) (changed bool) {
	if now == nil {
		return false
	}
	before := m.settings
	quick := !asked.IsZero() && -messages.Left(asked) <= atOnce
	m.settings.ClockAhead = m.transit.Heard(m.W.FromWall(*now), time.Now(), quick, atOnce)
	ahead := m.steady.Heard(m.W.FromSteady(*now), time.Now(), quick, atOnce)
	if m.exact = m.exact || quick; m.exact {
		m.settings.SlotsAhead = ahead + m.W.SteadyAhead()
	}
	return m.settings != before
}
