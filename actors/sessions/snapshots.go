package sessions

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// This file copies the snapshots of gateway hosts from the machine that had the shards before, by
// way of MASTER (PROTOCOL B1, op 12). Without its snapshot a session is of no use to a host: it has
// the guilds, and how far the bot has acknowledged its events. Until the snapshots of a cluster are
// there, or cannot come, the cluster is offered no session.

// copying is the state of the copies in both directions.
type copying struct {
	passed  bool        // MASTER passes the packets on
	running []*transfer // at most transfersAtOnce
	queue   []*transfer // that wait for one of these to end
	number  int         // of the last packet
	reads   int         // of our own snapshots, for other machines
}

// transfer is the copy of one shard's snapshot from another machine.
type transfer struct {
	cluster messages.ClusterID
	shard   int
	session string
	offset  int64     // of the next part
	asked   string    // id of the packet that asks for it; "": it is being written
	until   time.Time // when it must be there
}

// wanted is a request for sessions, and the cluster that made it.
type wanted struct {
	messages.SessionsWanted
	by *actor.PID
}

const (
	transfersAtOnce = 4                // each with a part of 512 KiB in memory
	readsAtOnce     = 16               // for other machines
	transferMax     = 20 * time.Second // a session is offered for a minute
	partMax         = 5 * time.Second
	snapshotMax     = 256 << 20 // bytes of a snapshot
)

// Messages of the book to itself.
type (
	partRead struct {
		messages.MayBeLost
		part messages.SnapshotPart
	}
	partWritten struct {
		messages.MayBeLost
		of   *transfer
		next int64
		err  error
	}
	partLate struct {
		messages.MayBeLost
		id string
	}
)

// transfers handles the messages of transfers.
func (b *Book) transfers(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case messages.SnapshotAsk:
		b.asked(ctx, m)
	case partRead:
		b.reads = max(0, b.reads-1)
		ctx.Send(b.addresses.MasterLink, m.part)
	case messages.SnapshotPart:
		b.came(ctx, m)
	case partWritten:
		b.written(ctx, m)
	case partLate:
		b.end(ctx, b.asking(m.id), fmt.Sprintf("no answer within %v", partMax))
	default:
		b.Unexpected(ctx)
	}
}

// passes notes whether MASTER passes the packets on. Without it no transfer goes on.
func (b *Book) passes(ctx actor.Context, on bool) {
	b.passed = on
	if on {
		return
	}
	ended := slices.Concat(b.running, b.queue)
	b.running, b.queue = nil, nil
	for _, t := range ended {
		b.release(ctx, t.cluster)
	}
}

// fetch copies the snapshots of sessions that another machine had.
func (b *Book) fetch(ctx actor.Context, m messages.SessionsBrought) {
	if b.W.Snapshots == nil || !b.passed {
		return
	}
	for _, s := range m.Sessions {
		b.queue = append(b.queue, &transfer{cluster: m.Cluster, shard: s.Shard, session: s.SessionID, until: time.Now().Add(transferMax)})
	}
	b.next(ctx)
}

// next begins the transfers that wait, transfersAtOnce at a time.
func (b *Book) next(ctx actor.Context) {
	for len(b.queue) > 0 && len(b.running) < transfersAtOnce {
		t := b.queue[0]
		b.queue = b.queue[1:]
		b.running = append(b.running, t)
		b.ask(ctx, t)
	}
}

// ask asks for the next part of a snapshot.
func (b *Book) ask(ctx actor.Context, t *transfer) {
	b.number++
	t.asked = strconv.Itoa(b.number)
	b.After(ctx, partMax, partLate{id: t.asked})
	ctx.Send(b.addresses.MasterLink, messages.SnapshotAsk{ID: t.asked, Shard: t.shard, SessionID: t.session, Offset: t.offset})
}

// asking returns the transfer that waits for the answer to a packet; nil: none does any more.
func (b *Book) asking(id string) *transfer {
	i := slices.IndexFunc(b.running, func(t *transfer) bool { return t.asked == id })
	if i < 0 || id == "" {
		return nil
	}
	return b.running[i]
}

// came writes a part to disk.
func (b *Book) came(ctx actor.Context, m messages.SnapshotPart) {
	t := b.asking(m.ID)
	switch {
	case t == nil:
		return
	case m.Error != "":
		b.end(ctx, t, m.Error)
		return
	case m.Next != 0 && (m.Next <= t.offset || m.Next > snapshotMax):
		b.end(ctx, t, fmt.Sprintf("the part after %d is at %d: want a higher offset, of at most %d", t.offset, m.Next, snapshotMax))
		return
	}
	t.asked = ""
	send := world.Sender(ctx)
	b.W.Snapshots.Write(t.cluster, t.shard, t.offset, m.Data, m.Next == 0, func(err error) { send(partWritten{of: t, next: m.Next, err: err}) })
}

// written goes on with the next part, or ends the transfer.
func (b *Book) written(ctx actor.Context, m partWritten) {
	switch {
	case !slices.Contains(b.running, m.of):
	case m.err != nil:
		b.end(ctx, m.of, m.err.Error())
	case m.next == 0:
		b.end(ctx, m.of, "")
	case time.Now().After(m.of.until):
		b.end(ctx, m.of, fmt.Sprintf("it takes more than %v", transferMax))
	default:
		m.of.offset = m.next
		b.ask(ctx, m.of)
	}
}

// end ends a transfer. With a reason why the snapshot did not come, its shard identifies, paced.
func (b *Book) end(ctx actor.Context, t *transfer, why string) {
	if t == nil {
		return
	}
	b.running = slices.DeleteFunc(b.running, func(one *transfer) bool { return one == t })
	if why == "" {
		b.Log.Info().Int("shard", t.shard).Int64("bytes", t.offset).Msg("snapshot copied from the machine that had the shard")
	} else {
		b.Log.Warn().Int("shard", t.shard).Str("err", why).Msg("snapshot cannot be copied from the machine that had the shard")
	}
	b.next(ctx)
	b.release(ctx, t.cluster)
}

// release offers a cluster its sessions once no transfer for it waits or is under way.
func (b *Book) release(ctx actor.Context, id messages.ClusterID) {
	p := b.page(id)
	waiting := p.wanted
	p.wanted = nil
	for _, w := range waiting {
		b.offer(ctx, w)
	}
}

// offer answers a request for sessions, once the snapshots are there.
func (b *Book) offer(ctx actor.Context, w wanted) {
	p := b.page(w.Cluster)
	ofCluster := func(t *transfer) bool { return t.cluster == w.Cluster }
	if slices.ContainsFunc(b.running, ofCluster) || slices.ContainsFunc(b.queue, ofCluster) {
		p.wanted = append(p.wanted, w)
		return
	}
	ctx.Send(w.by, messages.SessionsOffered{Run: w.Run, Sessions: plan.Offer(p.of(w.Shards), w.ShardCount, w.Intents, time.Now())})
}

// asked answers MASTER with a part of a snapshot of ours.
func (b *Book) asked(ctx actor.Context, m messages.SnapshotAsk) {
	cluster, err := b.owner(m)
	if err == nil && b.reads >= readsAtOnce {
		err = fmt.Errorf("%d parts are being read already", b.reads)
	}
	if err != nil {
		ctx.Send(b.addresses.MasterLink, messages.SnapshotPart{ID: m.ID, Error: err.Error()})
		return
	}
	b.reads++
	send := world.Sender(ctx)
	b.W.Snapshots.Read(cluster, m.Shard, m.Offset, func(part []byte, next int64, err error) {
		answer := messages.SnapshotPart{ID: m.ID, Data: part, Next: next}
		if err != nil {
			answer = messages.SnapshotPart{ID: m.ID, Error: err.Error()}
		}
		send(partRead{part: answer})
	})
}

// owner returns the cluster whose snapshot of a session another machine may have: nothing here uses
// it any more.
func (b *Book) owner(m messages.SnapshotAsk) (messages.ClusterID, error) {
	if b.W.Snapshots == nil {
		return 0, errors.New("the bots of this machine have no gateway hosts")
	}
	for id, p := range b.pages {
		switch k := p.kept[m.Shard]; {
		case k.Session.SessionID != m.SessionID:
		case k.Since.IsZero():
			return 0, fmt.Errorf("shard %d is served here", m.Shard)
		default:
			return id, nil
		}
	}
	return 0, fmt.Errorf("the session of shard %d is not known here", m.Shard)
}
