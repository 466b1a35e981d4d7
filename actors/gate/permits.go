package gate

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// This file tracks granted permits: their requesters, the copy on disk, and what was used.

// permit is a granted permit and its bookkeeping.
type permit struct {
	messages.Permit
	want      plan.Want
	requester *actor.PID
	bucket    int
	waited    time.Duration
	delivered bool      // sent to its requester
	old       bool      // granted by an earlier run of CONTROL
	spent     int       // identifies paid from this machine's share
	share     int64     // the share it was paid from
	before    time.Time // the bucket's previous use
	from      time.Time // valid from
}

// holds reports whether the permit holds its bucket until it is reported back.
func (p *permit) holds() bool { return p.want.Hold > 0 }

// gateState is the content of gate.json.
type gateState struct {
	MaxConcurrency int                         `json:"max_concurrency"`
	LastIdentify   map[int]messages.UnixMillis `json:"last_identify"`
	Holds          []heldBucket                `json:"holds,omitempty"` // not reported back
	Share          messages.BudgetShare        `json:"share,omitzero"`
}

// heldBucket is a bucket that a cluster holds.
type heldBucket struct {
	ID      string              `json:"id"` // of its permit
	Cluster messages.ClusterID  `json:"cluster"`
	Bucket  int                 `json:"bucket"`
	Until   messages.UnixMillis `json:"until"`
}

// recall restores the holds of an earlier run of CONTROL, so that their clusters can release them.
// Until is converted to the present clock.
func (g *Gate) recall(held []heldBucket) {
	now := time.Now()
	for _, k := range held {
		until := g.pacer.Believed(g.W.FromWall(k.Until), now, plan.HoldMost)
		if !until.After(now) {
			continue
		}
		g.last[k.Bucket] = until
		g.out[k.ID] = &permit{Permit: messages.Permit{ID: k.ID, Granted: true, UseBefore: until}, bucket: k.Bucket, old: true, before: now,
			want: plan.Want{ID: k.ID, Owner: k.Cluster.String(), Cause: messages.CauseStart, Hold: until.Sub(now)}}
	}
}

// heldBuckets lists every bucket that a cluster holds.
func (g *Gate) heldBuckets() (all []heldBucket) {
	for _, id := range slices.Sorted(maps.Keys(g.out)) {
		if p := g.out[id]; p.holds() {
			all = append(all, heldBucket{id, clusterOf(p.want.Owner), p.bucket, g.W.AtWall(p.UseBefore)})
		}
	}
	return all
}

// grant saves to disk that the bucket may be used, then sends the permit once the save is done and
// wait is over. paid is the number of identifies taken from the share for it.
func (g *Gate) grant(ctx actor.Context, w plan.Want, paid int, wait, useWithin time.Duration) {
	bucket, now := w.Shard%max(g.settings.MaxConcurrency, 1), time.Now()
	until := now.Add(useWithin)
	p := &permit{Permit: messages.Permit{ID: w.ID, Shard: w.Shard, Granted: true, UseBefore: until},
		want: w, requester: g.requesters[w.ID], bucket: bucket, waited: now.Sub(w.Since), spent: paid, share: g.share.ID, before: g.last[bucket], from: now.Add(wait)}
	delete(g.requesters, w.ID)
	g.out[w.ID] = p
	g.last[bucket] = until
	g.unsent = append(g.unsent, p)
	g.save(ctx)
}

// extend prolongs a hold that the requester has already, by w.Hold from now, and sends its permit
// again. It returns false if the requester holds nothing.
func (g *Gate) extend(ctx actor.Context, w plan.Want) bool {
	p := g.out[w.ID]
	if p == nil || w.Hold == 0 {
		return false
	}
	p.requester = g.requesters[w.ID]
	delete(g.requesters, w.ID)
	p.UseBefore = time.Now().Add(w.Hold)
	g.last[p.bucket] = p.UseBefore
	if !g.pacer.Extend(w.ID, w.Hold, time.Now()) { // granted before this pacer was made
		g.pacer.Used(p.bucket, p.UseBefore)
	}
	g.unsent = append(g.unsent, p)
	g.save(ctx)
	return true
}

func (g *Gate) save(ctx actor.Context) {
	if g.saving || len(g.unsent) == 0 && !g.stale {
		return
	}
	data, err := json.Marshal(gateState{MaxConcurrency: g.settings.MaxConcurrency, LastIdentify: ShownBy(g.last, g.W.AtWall), Holds: g.heldBuckets(), Share: g.share})
	if err != nil {
		panic(err) // numbers only
	}
	permits, share, send := g.unsent, g.share, world.Sender(ctx)
	g.saving, g.stale, g.unsent = true, false, nil
	g.W.Save(gateFile, data, func(err error) { send(gateSaved{permits: permits, share: share, err: err}) })
}

// saved sends the permits whose bucket is on disk. If the save failed it sends them too: only a
// crash within the next seconds could break the pace. Permits paid from the share wait, because a
// crash at any later time would restore what was spent.
func (g *Gate) saved(ctx actor.Context, m gateSaved) {
	g.saving = false
	switch g.broken = m.err != nil; {
	case !g.broken:
		g.onDisk = m.share
		g.reportShare(ctx)
	case !g.saveDue:
		g.saveDue = true
		g.After(ctx, plan.SaveAgain, saveDue{})
	}
	for _, p := range m.permits {
		if g.broken && p.spent > 0 && !p.delivered {
			g.takeBack(ctx, p)
			continue
		}
		g.deliver(ctx, p)
	}
	g.save(ctx)
}

// deliver sends a saved permit as soon as it may be used.
func (g *Gate) deliver(ctx actor.Context, p *permit) {
	switch wait := time.Until(p.from); {
	case g.out[p.ID] != p || p.requester == nil:
	case wait > 0:
		g.After(ctx, wait, permitDue{permit: p})
	default:
		p.delivered = true
		ctx.Send(p.requester, p.Permit)
	}
}

// used handles the report that a permit was used or discarded. It returns false if no such permit
// is out: the report then withdraws a request.
func (g *Gate) used(ctx actor.Context, m messages.PermitUsed) bool {
	delete(g.requesters, m.ID)
	delete(g.requests, m.ID)
	delete(g.deferred, m.ID)
	p := g.out[m.ID]
	if p == nil {
		return false
	}
	g.end(p)
	if m.Sent {
		if now := time.Now(); now.After(g.last[p.bucket]) {
			g.last[p.bucket] = now
		}
		g.countIdentifies(ctx, p, max(m.Identifies, 1))
	}
	if back := p.spent; back > 0 {
		if m.Sent {
			back -= max(m.Identifies, 1)
		}
		g.giveBack(p, back)
		g.reportShare(ctx)
	}
	if p.holds() { // a hold is long: the next run of CONTROL need not wait for it
		g.stale = true
		g.save(ctx)
	}
	if p.old { // MASTER has the hold in the pace handed over before
		ctx.Send(g.addresses.MasterLink, g.handOver())
	}
	return true
}

// end drops a permit and releases its bucket.
func (g *Gate) end(p *permit) {
	delete(g.out, p.ID)
	if g.last[p.bucket].Equal(p.UseBefore) { // else the bucket was granted again before this late report
		g.last[p.bucket] = p.before
	}
}

// reportOf converts a report for MASTER.
func (g *Gate) reportOf(m messages.PermitUsed) messages.PermitReport {
	return messages.PermitReport{ID: m.ID, Sent: m.Sent, Identifies: m.Identifies, Now: new(g.W.AtSteady(time.Now()))}
}

// owedMax bounds the reports kept for MASTER. A machine has fewer clusters and buckets.
const owedMax = 4096

// owe keeps the report of a held bucket while MASTER is away: if MASTER granted the hold it would
// otherwise keep the bucket for minutes.
func (g *Gate) owe(m messages.PermitUsed) {
	if p := g.out[m.ID]; p != nil && p.holds() && len(g.owed) < owedMax {
		g.owed = append(g.owed, g.reportOf(m))
	}
}

// drop removes the permits of a cluster that died. Each may have been used, so its bucket stays
// busy as if it had been used at the last moment.
func (g *Gate) drop(cluster messages.ClusterID) {
	for id, p := range g.out {
		if p.want.Owner == cluster.String() {
			delete(g.out, id)
		}
	}
	for _, w := range g.waiting() {
		if w.Owner == cluster.String() {
			delete(g.requesters, w.ID)
		}
	}
}

// countIdentifies counts n identifies of a cluster and reports them as an event.
func (g *Gate) countIdentifies(ctx actor.Context, p *permit, n int) {
	g.storm(p.want.Owner).sent(p.Shard, p.want.Cause, n)
	ctx.Send(g.addresses.Events, messages.Identified{Cluster: clusterOf(p.want.Owner), Shard: p.Shard, Identifies: n, Cause: p.want.Cause, WaitedMS: messages.Millis(p.waited)})
}

// handOver returns the latest time at which each bucket was or may be used, for MASTER.
func (g *Gate) handOver() messages.PaceHandedOver {
	return messages.PaceHandedOver{Last: maps.Clone(g.last)}
}

// clusterOf returns the cluster that owns a permit.
func clusterOf(owner string) messages.ClusterID {
	id, err := strconv.Atoi(owner)
	if err != nil {
		panic(err) // ClusterID.String
	}
	return messages.ClusterID(id)
}

// ShownBy converts the times of buckets to those of a clock.
func ShownBy(last map[int]time.Time, clock func(time.Time) messages.UnixMillis) map[int]messages.UnixMillis {
	all := make(map[int]messages.UnixMillis, len(last))
	for bucket, at := range last {
		all[bucket] = clock(at)
	}
	return all
}
