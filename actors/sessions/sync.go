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

// This file is what SessionBook tells MASTER, and takes from it: whoever serves a range next
// resumes where its last owner stopped (PROTOCOL B1, op 11).

// telling is how far MASTER is told.
type telling struct {
	on    bool                     // MASTER is there, and wants to know
	chain int                      // of tellDue: a new one takes the place of the last
	moved map[int]messages.Session // by shard, since it was told last
}

const (
	tellEvery = 5 * time.Second // seqs that moved (PROTOCOL B1)
)

// tellDue is the time to tell what moved.
type tellDue struct{ chain int }

// IgnoreDeadLetterLogging: it may come after CONTROL has stopped.
func (tellDue) IgnoreDeadLetterLogging() {}

// tellAll tells every session that can be resumed, to a MASTER that has just come; or nothing more, to one that has gone.
func (b *Book) tellAll(ctx actor.Context, on bool) {
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
	b.tellMoved(ctx)
	ctx.Send(b.addresses.MasterLink, messages.SessionsReported{})
	b.tellAgain(ctx)
}

// young reports whether somebody may yet resume a session.
func young(k plan.Kept) bool { return k.Since.IsZero() || time.Since(k.Since) < plan.OfferedFor }

func (b *Book) tellAgain(ctx actor.Context) {
	b.chain++
	b.After(ctx, tellEvery, tellDue{b.chain})
}

// tell passes on what a process says: a session that begins or ends at once, a seq that moved in its time.
func (b *Book) tell(ctx actor.Context, m messages.KeepSessions, begun bool) {
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
		b.tellMoved(ctx)
	}
}

// tellMoved tells what moved since MASTER was told last. The guilds stay here: MASTER keeps little of many shards.
func (b *Book) tellMoved(ctx actor.Context) {
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

// brought takes what another machine left: sessions that nobody owns from now on.
func (b *Book) brought(ctx actor.Context, m messages.SessionsBrought) {
	p := b.page(m.Cluster)
	for _, s := range m.Sessions {
		p.kept[s.Shard] = plan.Kept{Session: plan.Merge(p.kept[s.Shard].Session, s), Since: time.Now()}
	}
	b.write(ctx, m.Cluster)
}

// handOver gives the sessions of a range, for another machine. They stay in the book, too: the range may come back before they are too old.
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
