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

// This file is what the gate knows of permits it gave: who has them, what is on disk, what was used.

// permit is one that was granted.
type permit struct {
	messages.Permit
	want   plan.Want
	asker  *actor.PID
	bucket int
	waited time.Duration
	handed bool      // its asker has it
	old    bool      // an earlier life gave it
	spent  int       // of this machine's own share
	before time.Time // the bucket's last use before it
	from   time.Time // not to be used sooner
}

// keeps reports whether it keeps its bucket until it is given back.
func (p *permit) keeps() bool { return p.want.Hold > 0 }

// gateState is what gate.json holds.
type gateState struct {
	MaxConcurrency int                         `json:"max_concurrency"`
	LastIdentify   map[int]messages.UnixMillis `json:"last_identify"`
	Holds          []keptBucket                `json:"holds,omitempty"` // that were not given back
	Share          messages.Share              `json:"share,omitzero"`
}

// keptBucket is a bucket that a cluster keeps.
type keptBucket struct {
	ID      string              `json:"id"` // of its permit
	Cluster messages.ClusterID  `json:"cluster"`
	Bucket  int                 `json:"bucket"`
	Until   messages.UnixMillis `json:"until"`
}

// recall takes over the buckets that the clusters of an earlier life keep, so that they can be
// given back. until is by the clock of today.
func (g *Gate) recall(kept []keptBucket) {
	now := time.Now()
	for _, k := range kept {
		until := g.pacer.Believed(g.W.FromWall(k.Until), now, plan.HoldMost)
		if !until.After(now) {
			continue
		}
		g.last[k.Bucket] = until
		g.out[k.ID] = &permit{Permit: messages.Permit{ID: k.ID, Granted: true, UseBefore: until}, bucket: k.Bucket, old: true, before: now,
			want: plan.Want{ID: k.ID, Owner: k.Cluster.String(), Cause: messages.CauseStart, Hold: until.Sub(now)}}
	}
}

// kept is every bucket that a cluster keeps.
func (g *Gate) kept() (all []keptBucket) {
	for _, id := range slices.Sorted(maps.Keys(g.out)) {
		if p := g.out[id]; p.keeps() {
			all = append(all, keptBucket{id, clusterOf(p.want.Owner), p.bucket, g.W.AtWall(p.UseBefore)})
		}
	}
	return all
}

// give notes on disk that the bucket may be used, and gives the permit when that is done, and wait
// is over. paid is what was taken from the share for it.
func (g *Gate) give(ctx actor.Context, w plan.Want, paid int, wait, useWithin time.Duration) {
	bucket, now := w.Shard%max(g.settings.MaxConcurrency, 1), time.Now()
	until := now.Add(useWithin)
	p := &permit{Permit: messages.Permit{ID: w.ID, Shard: w.Shard, Granted: true, UseBefore: until},
		want: w, asker: g.askers[w.ID], bucket: bucket, waited: now.Sub(w.Since), spent: paid, before: g.last[bucket], from: now.Add(wait)}
	delete(g.askers, w.ID)
	g.out[w.ID] = p
	g.last[bucket] = until
	g.unsent = append(g.unsent, p)
	g.save(ctx)
}

// extend keeps a bucket that the wish's asker keeps already, for its Hold from now, and reports whether that was so. Its permit is given once more.
func (g *Gate) extend(ctx actor.Context, w plan.Want) bool {
	p := g.out[w.ID]
	if p == nil || w.Hold == 0 {
		return false
	}
	p.asker = g.askers[w.ID]
	delete(g.askers, w.ID)
	p.UseBefore = time.Now().Add(w.Hold)
	g.last[p.bucket] = p.UseBefore
	if !g.pacer.Extend(w.ID, w.Hold, time.Now()) { // granted before this pacer was there
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
	data, err := json.Marshal(gateState{MaxConcurrency: g.settings.MaxConcurrency, LastIdentify: ShownBy(g.last, g.W.AtWall), Holds: g.kept(), Share: g.share})
	if err != nil {
		panic(err) // numbers only
	}
	permits, share, send := g.unsent, g.share, world.Sender(ctx)
	g.saving, g.stale, g.unsent = true, false, nil
	g.W.Save(gateFile, data, func(err error) { send(gateSaved{permits, share, err}) })
}

// saved sends the permits whose note is on disk. Where the disk takes nothing the bots still go on:
// only a crash within the next seconds could break the pace then. What is paid from the share waits:
// a crash at any time later would bring back what was spent.
func (g *Gate) saved(ctx actor.Context, m gateSaved) {
	g.saving = false
	if m.err != nil && !g.broken {
		ctx.Send(g.addresses.Events, messages.StateUnwritable{File: gateFile, Err: m.err.Error()})
	}
	if g.broken = m.err != nil; !g.broken {
		g.onDisk = m.share
		g.reportShare(ctx)
	}
	for _, p := range m.permits {
		if g.broken && p.spent > 0 && !p.handed {
			g.takeBack(ctx, p)
			continue
		}
		g.hand(ctx, p)
	}
	g.save(ctx)
}

// hand sends a permit that is on disk, as soon as it may be used.
func (g *Gate) hand(ctx actor.Context, p *permit) {
	switch wait := time.Until(p.from); {
	case g.out[p.ID] != p || p.asker == nil:
	case wait > 0:
		g.After(ctx, wait, ripe{p})
	default:
		p.handed = true
		ctx.Send(p.asker, p.Permit)
	}
}

// used takes note of a report: of a permit that was used or thrown away, or, which gives false, of a wish that was taken back.
func (g *Gate) used(ctx actor.Context, m messages.PermitUsed) bool {
	delete(g.askers, m.ID)
	delete(g.wishes, m.ID)
	delete(g.putOff, m.ID)
	p := g.out[m.ID]
	if p == nil {
		return false
	}
	g.end(p)
	if m.Sent {
		if now := time.Now(); now.After(g.last[p.bucket]) {
			g.last[p.bucket] = now
		}
		g.burn(ctx, p, max(m.Identifies, 1))
	}
	if back := p.spent; back > 0 {
		if m.Sent {
			back -= max(m.Identifies, 1)
		}
		g.giveBack(back)
		g.reportShare(ctx)
	}
	if p.keeps() { // what it kept was for long: the next life need not wait for that
		g.stale = true
		g.save(ctx)
	}
	if p.old { // MASTER was told otherwise
		ctx.Send(g.addresses.MasterLink, g.handOver())
	}
	return true
}

// end forgets a permit, and what its bucket was kept for.
func (g *Gate) end(p *permit) {
	delete(g.out, p.ID)
	if g.last[p.bucket].Equal(p.UseBefore) { // else the report is so late that the bucket was given away since
		g.last[p.bucket] = p.before
	}
}

// reportOf is what MASTER hears of a permit.
func (g *Gate) reportOf(m messages.PermitUsed) messages.PermitReport {
	return messages.PermitReport{ID: m.ID, Sent: m.Sent, Identifies: m.Identifies, Now: new(g.W.AtSteady(time.Now()))}
}

// owedMax bounds what MASTER is owed: more than a machine has clusters and buckets.
const owedMax = 4096

// owe keeps the report of a bucket for MASTER, which is away and may have granted it: it would be
// kept for minutes.
func (g *Gate) owe(m messages.PermitUsed) {
	if p := g.out[m.ID]; p != nil && p.keeps() && len(g.owed) < owedMax {
		g.owed = append(g.owed, g.reportOf(m))
	}
}

// drop forgets the permits of a cluster that died. Each may have been used: its bucket stays busy as if at the last moment.
func (g *Gate) drop(cluster messages.ClusterID) {
	for id, p := range g.out {
		if p.want.Owner == cluster.String() {
			delete(g.out, id)
		}
	}
	for _, w := range g.waiting() {
		if w.Owner == cluster.String() {
			delete(g.askers, w.ID)
		}
	}
}

// burn counts n identifies of a cluster.
func (g *Gate) burn(ctx actor.Context, p *permit, n int) {
	g.storm(p.want.Owner).sent(p.Shard, p.want.Cause, n)
	ctx.Send(g.addresses.Events, messages.Identified{Cluster: clusterOf(p.want.Owner), Shard: p.Shard, Identifies: n, Cause: p.want.Cause, WaitedMS: messages.Millis(p.waited)})
}

// handOver is when each bucket was, or may yet be, used last.
func (g *Gate) handOver() messages.PaceHandedOver {
	return messages.PaceHandedOver{Last: maps.Clone(g.last)}
}

// clusterOf is the cluster that an owner of permits is.
func clusterOf(owner string) messages.ClusterID {
	id, err := strconv.Atoi(owner)
	if err != nil {
		panic(err) // ClusterID.String
	}
	return messages.ClusterID(id)
}

// shown gives those times as a clock shows them.
func ShownBy(last map[int]time.Time, clock func(time.Time) messages.UnixMillis) map[int]messages.UnixMillis {
	all := make(map[int]messages.UnixMillis, len(last))
	for bucket, at := range last {
		all[bucket] = clock(at)
	}
	return all
}
