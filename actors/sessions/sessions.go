package sessions

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// Book keeps what every shard needs to RESUME, in memory and on disk, so that a crash costs no
// identify.
//
// A cluster has two files. sessions-<id>.json has every seq and is written at most writeEvery after
// a seq moved. ready-<id>.json has the data of READY and is written when a session begins. Each
// file is replaced whole, so kill -9 at any instant leaves the old or the new one. An unchanged
// file is written again every confirmEvery, so that the next run of CONTROL knows the greatest age
// of its sessions.
type Book struct {
	world.States
	addresses world.Addresses
	pages     map[messages.ClusterID]*page
	reporting
	copying
}

// page is one cluster's sessions.
type page struct {
	kept         map[int]plan.Kept // by shard
	waits        bool              // a write is due
	saving       bool
	dirty        bool     // changed since the save under way began
	readyUnsaved bool     // the last save of the data of READY failed
	wanted       []wanted // requests that wait for snapshots
}

// pageFile is the content of sessions-<id>.json. AsOf is the last time at which the sessions
// without Orphaned were known to have an owner.
type pageFile struct {
	AsOf     messages.UnixMillis `json:"as_of"`
	Sessions []keptFile          `json:"sessions"`
}

type keptFile struct {
	messages.Session
	Orphaned *messages.UnixMillis `json:"orphaned,omitempty"`
}

const (
	writeEvery   = 500 * time.Millisecond
	confirmEvery = 10 * time.Second
)

// Messages of the book to itself.
type (
	writeDue struct {
		messages.MayBeLost
		cluster messages.ClusterID
	}
	pageSaved struct {
		messages.MayBeLost
		cluster messages.ClusterID
		err     error
	}
	readySaved struct {
		messages.MayBeLost
		cluster messages.ClusterID
		err     error
	}
)

func pageName(id messages.ClusterID) string  { return fmt.Sprintf("sessions-%d.json", id) }
func readyName(id messages.ClusterID) string { return fmt.Sprintf("ready-%d.json", id) }

// New returns the props of the Book.
func New(w *world.World, addresses world.Addresses) *actor.Props {
	return w.Spawn("sessions", func() actor.Actor {
		b := &Book{addresses: addresses, pages: map[messages.ClusterID]*page{}}
		b.Begin(w, w.Log.With().Str("actor", "sessions").Logger(), "keeping", b.keeping)
		return b
	})
}

func (b *Book) keeping(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		b.In(ctx, confirmEvery)
	case messages.KeepSessions:
		b.keep(ctx, m)
	case messages.SessionsWanted:
		b.offer(ctx, wanted{m, ctx.Sender()})
	case messages.SessionsOrphaned:
		p := b.page(m.Cluster)
		for shard, k := range p.kept {
			if k.Since.IsZero() {
				k.Since = time.Now()
				p.kept[shard] = k
			}
		}
		b.write(ctx, m.Cluster)
		b.reportMoved(ctx)
	case messages.SessionsBrought:
		b.brought(ctx, m)
	case messages.HandSessionsOver:
		b.handOver(ctx, m)
	case messages.ReportSessions:
		b.reportAll(ctx, m.On)
		b.passes(ctx, m.Snapshots)
	case reportDue:
		if m.chain == b.chain {
			b.reportMoved(ctx)
			b.scheduleReport(ctx)
		}
	case messages.GetSnapshot:
		b.snapshot(ctx)
	case messages.ForgetSessions:
		clear(b.page(m.Cluster).kept)
		b.write(ctx, m.Cluster)
	case writeDue:
		b.page(m.cluster).waits = false
		b.write(ctx, m.cluster)
	case pageSaved:
		p := b.page(m.cluster)
		p.saving = false
		if p.dirty {
			b.write(ctx, m.cluster)
		}
	case readySaved:
		b.page(m.cluster).readyUnsaved = m.err != nil
	case world.Timeout:
		b.writeAll(ctx)
	case world.Recovered:
		b.reportAll(ctx, b.on)
		b.passes(ctx, false) // an answer may be what was lost; ReportSessions follows
		b.reads = 0
		for _, p := range b.pages {
			p.waits, p.saving = false, false
		}
		b.writeAll(ctx)
	case *actor.Stopping: // the next run of CONTROL reads the files
		for _, id := range slices.Sorted(maps.Keys(b.pages)) {
			if p := b.pages[id]; p.waits || p.dirty {
				p.saving = false
				b.write(ctx, id)
			}
		}
		b.Leave()
	default:
		b.transfers(ctx)
	}
}

// writeAll writes every page, and does so again after confirmEvery.
func (b *Book) writeAll(ctx actor.Context) {
	for _, id := range slices.Sorted(maps.Keys(b.pages)) {
		b.write(ctx, id)
		if b.pages[id].readyUnsaved {
			b.writeReady(ctx, id)
		}
	}
	b.In(ctx, confirmEvery)
}

// keep takes the sessions that a running process reports. It writes a session that began or ended
// at once, and a moved seq within writeEvery.
func (b *Book) keep(ctx actor.Context, m messages.KeepSessions) {
	p := b.page(m.Cluster)
	begun, ended := false, false
	for _, s := range m.Sessions {
		known := p.kept[s.Shard].Session
		begun = begun || known.SessionID != s.SessionID
		p.kept[s.Shard] = plan.Kept{Session: plan.Merge(known, s)}
	}
	for _, shard := range m.Gone {
		if _, had := p.kept[shard]; had {
			delete(p.kept, shard)
			ended = true
		}
	}
	b.report(ctx, m, begun)
	if begun {
		b.writeReady(ctx, m.Cluster)
	}
	switch {
	case begun || ended:
		b.write(ctx, m.Cluster)
	case !p.waits:
		p.waits = true
		b.After(ctx, writeEvery, writeDue{cluster: m.Cluster})
	}
}

// page returns a cluster's page, read from disk at its first use.
func (b *Book) page(id messages.ClusterID) *page {
	p := b.pages[id]
	if p == nil {
		p = b.read(id)
		b.pages[id] = p
	}
	return p
}

// read loads what the previous run of CONTROL saved. If it cannot be read the page is empty, and
// its shards identify.
func (b *Book) read(id messages.ClusterID) *page {
	p := &page{kept: map[int]plan.Kept{}}
	var file pageFile
	if _, err := b.W.Read(pageName(id), &file); err != nil {
		b.Log.Warn().Err(err).Str("file", pageName(id)).Msg("cannot read sessions")
		return p
	}
	var ready []messages.Session
	if _, err := b.W.Read(readyName(id), &ready); err != nil {
		b.Log.Warn().Err(err).Str("file", readyName(id)).Msg("cannot read the data of READY")
	}
	for _, k := range file.Sessions {
		since := file.AsOf
		if k.Orphaned != nil {
			since = *k.Orphaned
		}
		for _, r := range ready {
			if r.Shard == k.Shard && r.SessionID == k.SessionID {
				k.UserID, k.ApplicationID, k.Guilds = r.UserID, r.ApplicationID, r.Guilds
			}
		}
		at := b.W.FromWall(since)
		if now := time.Now(); at.After(now) { // the clock was ahead
			at = now
		}
		p.kept[k.Shard] = plan.Kept{Session: k.Session, Since: at}
	}
	return p
}

// of returns what is kept of a range, in the order of its shards.
func (p *page) of(r messages.ShardRange) []plan.Kept {
	var all []plan.Kept
	for _, shard := range slices.Sorted(maps.Keys(p.kept)) {
		if r.Contains(shard) {
			all = append(all, p.kept[shard])
		}
	}
	return all
}

// write saves a page. A page that changes during the save is saved again after it.
func (b *Book) write(ctx actor.Context, id messages.ClusterID) {
	p := b.page(id)
	if p.dirty = p.saving; p.saving {
		return
	}
	file := pageFile{AsOf: b.W.AtWall(time.Now()), Sessions: []keptFile{}}
	for _, shard := range slices.Sorted(maps.Keys(p.kept)) {
		k := keptFile{Session: p.kept[shard].Session}
		k.UserID, k.ApplicationID, k.Guilds = "", "", nil
		if since := p.kept[shard].Since; !since.IsZero() {
			k.Orphaned = new(b.W.AtWall(since))
		}
		file.Sessions = append(file.Sessions, k)
	}
	p.saving = true
	send := world.Sender(ctx)
	b.W.Save(pageName(id), world.Encode(file), func(err error) { send(pageSaved{cluster: id, err: err}) })
}

// writeReady saves the data of READY.
func (b *Book) writeReady(ctx actor.Context, id messages.ClusterID) {
	ready := []messages.Session{}
	for _, k := range b.page(id).of(messages.ShardRange{Last: int(^uint(0) >> 1)}) {
		ready = append(ready, k.Session)
	}
	send := world.Sender(ctx)
	b.W.Save(readyName(id), world.Encode(ready), func(err error) { send(readySaved{cluster: id, err: err}) })
}

// snapshot sends the sessions to the actor that asked.
func (b *Book) snapshot(ctx actor.Context) {
	if ctx.Sender() == nil {
		return
	}
	var all []messages.SessionView
	for _, id := range slices.Sorted(maps.Keys(b.pages)) {
		kept := b.pages[id].kept
		for _, shard := range slices.Sorted(maps.Keys(kept)) {
			one := messages.SessionView{Shard: shard, Cluster: id, Seq: kept[shard].Session.Seq, At: b.W.FromWall(kept[shard].Session.At).UTC().Round(time.Millisecond)}
			if since := kept[shard].Since; !since.IsZero() {
				one.Orphaned = new(since.UTC().Truncate(time.Millisecond))
			}
			all = append(all, one)
		}
	}
	ctx.Send(ctx.Sender(), messages.SessionsSnapshot{Sessions: all})
}
