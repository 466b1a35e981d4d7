package actors

import (
	"encoding/json"
	"maps"
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
	asker  *actor.PID
	owner  string
	bucket int
	cause  messages.IdentifyCause
	waited time.Duration
	before time.Time // the bucket's last use before it
	from   time.Time // not to be used sooner
}

// gateState is what gate.json holds.
type gateState struct {
	MaxConcurrency int                         `json:"max_concurrency"`
	LastIdentify   map[int]messages.UnixMillis `json:"last_identify"`
}

// give notes on disk that the bucket may be used, and gives the permit when that is done, and wait is over.
func (g *IdentifyGate) give(ctx actor.Context, w plan.Want, wait, useWithin time.Duration) {
	bucket, now := w.Shard%max(g.settings.MaxConcurrency, 1), time.Now()
	until := now.Add(useWithin)
	p := &permit{Permit: messages.Permit{ID: w.ID, Shard: w.Shard, Granted: true, UseBefore: until},
		asker: g.askers[w.ID], owner: w.Owner, bucket: bucket, cause: w.Cause, waited: now.Sub(w.Since), before: g.last[bucket], from: now.Add(wait)}
	delete(g.askers, w.ID)
	g.out[w.ID] = p
	g.last[bucket] = until
	g.unsent = append(g.unsent, p)
	g.save(ctx)
}

// extend keeps a bucket that the wish's asker keeps already, for its Hold from now, and reports whether that was so. Its permit is given once more.
func (g *IdentifyGate) extend(ctx actor.Context, w plan.Want) bool {
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

func (g *IdentifyGate) save(ctx actor.Context) {
	if g.saving || len(g.unsent) == 0 {
		return
	}
	data, err := json.Marshal(gateState{MaxConcurrency: g.settings.MaxConcurrency, LastIdentify: shown(g.last, g.W.AtWall)})
	if err != nil {
		panic(err) // numbers only
	}
	permits, send := g.unsent, world.Sender(ctx)
	g.saving, g.unsent = true, nil
	g.W.Save(gateFile, data, func(err error) { send(gateSaved{permits, err}) })
}

// saved sends the permits whose note is on disk. Where the disk takes nothing the bots still go on: only a crash within the next seconds could break the pace then.
func (g *IdentifyGate) saved(ctx actor.Context, m gateSaved) {
	g.saving = false
	if m.err != nil && !g.broken {
		ctx.Send(g.house.Herald, messages.StateUnwritable{File: gateFile, Err: m.err.Error()})
	}
	g.broken = m.err != nil
	for _, p := range m.permits {
		g.hand(ctx, p)
	}
	g.save(ctx)
}

// hand sends a permit that is on disk, as soon as it may be used.
func (g *IdentifyGate) hand(ctx actor.Context, p *permit) {
	switch wait := time.Until(p.from); {
	case g.out[p.ID] != p || p.asker == nil:
	case wait > 0:
		g.After(ctx, wait, ripe{p})
	default:
		ctx.Send(p.asker, p.Permit)
	}
}

// used takes note of a report: of a permit that was used or thrown away, or, which gives false, of a wish that was taken back.
func (g *IdentifyGate) used(ctx actor.Context, m messages.PermitUsed) bool {
	delete(g.askers, m.ID)
	delete(g.wishes, m.ID)
	p := g.out[m.ID]
	if p == nil {
		return false
	}
	delete(g.out, m.ID)
	g.last[p.bucket] = p.before
	if m.Sent {
		g.last[p.bucket] = time.Now()
		g.burn(ctx, p, max(m.Identifies, 1))
	}
	return true
}

// drop forgets the permits of a cluster that died. Each may have been used: its bucket stays busy as if at the last moment.
func (g *IdentifyGate) drop(cluster messages.ClusterID) {
	for id, p := range g.out {
		if p.owner == cluster.String() {
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
func (g *IdentifyGate) burn(ctx actor.Context, p *permit, n int) {
	number, err := strconv.Atoi(p.owner)
	if err != nil {
		return
	}
	g.storm(p.owner).sent(p.Shard, p.cause, n)
	ctx.Send(g.house.Herald, messages.Identified{Cluster: messages.ClusterID(number), Shard: p.Shard, Identifies: n, Cause: p.cause, WaitedMS: messages.Millis(p.waited)})
}

// handOver is when each bucket was, or may yet be, used last.
func (g *IdentifyGate) handOver() messages.PaceHandedOver {
	return messages.PaceHandedOver{Last: maps.Clone(g.last)}
}

// shown gives those times as a clock shows them.
func shown(last map[int]time.Time, clock func(time.Time) messages.UnixMillis) map[int]messages.UnixMillis {
	all := make(map[int]messages.UnixMillis, len(last))
	for bucket, at := range last {
		all[bucket] = clock(at)
	}
	return all
}
