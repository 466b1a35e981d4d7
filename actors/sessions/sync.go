package sessions

import (
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/link"
	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file exchanges sessions with MASTER, so that the next machine of a range resumes where the
// previous one stopped (PROTOCOL B1, op 11).

// reporting is the state of the reports to MASTER.
type reporting struct {
	on    bool                     // MASTER is connected and wants reports
	chain int                      // numbers the timers reportDue; only the latest counts
	moved map[int]messages.Session // by shard, since the last report
}

const (
	reportEvery = 5 * time.Second // of seqs that moved (PROTOCOL B1)
)

// reportDue is the timer of the next report.
type reportDue struct {
	messages.MayBeLost
	chain int
}

// reportAll reports every session that can be resumed to a MASTER that has just connected. With on
// false it ends the reports.
func (b *Book) reportAll(ctx actor.Context, on bool) {
	b.on, b.moved = on, map[int]messages.Session{}
	if !on {
		return
	}
	for _, p := range b.pages {
		for shard, k := range p.kept {
			if young(k) {
				b.moved[shard] = k.Session
			}
		}
	}
	b.reportMoved(ctx)
	ctx.Send(b.addresses.MasterLink, messages.SessionsReported{})
	b.scheduleReport(ctx)
}

// young reports whether a session can still be resumed.
func young(k plan.Kept) bool { return k.Since.IsZero() || time.Since(k.Since) < messages.OfferedFor }

func (b *Book) scheduleReport(ctx actor.Context) {
	b.chain++
	b.After(ctx, reportEvery, reportDue{chain: b.chain})
}

// report passes on what a process reported: at once if a session began or ended, with the next
// timer if only seqs moved.
func (b *Book) report(ctx actor.Context, m messages.KeepSessions, begun bool) {
	if !b.on {
		return
	}
	for _, s := range m.Sessions {
		b.moved[s.Shard] = b.pages[m.Cluster].kept[s.Shard].Session
	}
	for _, shard := range m.Gone {
		delete(b.moved, shard)
	}
	if len(m.Gone) > 0 {
		ctx.Send(b.addresses.MasterLink, messages.SessionsMoved{Gone: m.Gone})
	}
	if begun {
		b.reportMoved(ctx)
	}
}

// reportMoved reports what moved since the last report, without the guilds: MASTER keeps little of
// each shard.
func (b *Book) reportMoved(ctx actor.Context) {
	var packet messages.SessionsMoved
	for _, shard := range slices.Sorted(maps.Keys(b.moved)) {
		s := b.moved[shard]
		s.Guilds = nil
		packet.Sessions = append(packet.Sessions, s)
		if len(packet.Sessions) == link.SessionsPerPacket {
			ctx.Send(b.addresses.MasterLink, packet)
			packet.Sessions = nil
		}
	}
	if len(packet.Sessions) > 0 {
		ctx.Send(b.addresses.MasterLink, packet)
	}
	clear(b.moved)
}

// brought takes the sessions of another machine. They have no owner from now on.
func (b *Book) brought(ctx actor.Context, m messages.SessionsBrought) {
	p := b.page(m.Cluster)
	for _, s := range m.Sessions {
		p.kept[s.Shard] = plan.Kept{Session: plan.Merge(p.kept[s.Shard].Session, s), Since: time.Now()}
	}
	b.write(ctx, m.Cluster)
	b.fetch(ctx, m)
}

// handOver sends the sessions of a range to MASTER, for another machine. They stay in the book: the
// range may return before they expire.
func (b *Book) handOver(ctx actor.Context, m messages.HandSessionsOver) {
	over := messages.SessionsHandedOver{ID: m.ID, Range: m.Range}
	for _, id := range slices.Sorted(maps.Keys(b.pages)) {
		for _, k := range b.pages[id].of(m.Range) {
			if young(k) {
				k.Guilds = nil
				over.Sessions = append(over.Sessions, k.Session)
			}
			delete(b.moved, k.Shard)
		}
	}
	ctx.Send(b.addresses.MasterLink, over)
}
