package rules

import (
	"slices"

	"github.com/discluster/control/transport/discord/guilds"
)

// event is one event, shared by all its sessions.
type event struct {
	shard  int
	number int64  // 0: not counted
	guild  uint64 // of an answer, or of a GUILD_CREATE of a session's start; 0: another event
	typ    string
	// nil: made from body, number or guild when it is written, so that a replay buffer stays small
	data    []byte
	body    any  // of an Answer
	sent    bool // some connection got it
	holders int  // sessions that may still send it for the first time
}

// kept is an event with its number in one session.
type kept struct {
	seq int64
	*event
}

// emit numbers an event and dispatches it to every session of its shard.
func (d *Discord) emit(in Emit) {
	if in.Shard != All {
		d.emitTo(in.Shard, in)
		return
	}
	for _, shard := range d.known {
		d.emitTo(shard, in)
	}
}

func (d *Discord) emitTo(shard int, in Emit) {
	d.tally(shard, EventCount{Emitted: 1})
	e := &event{shard: shard, number: d.numbers[shard].Emitted, typ: in.Type, data: in.Data}
	switch {
	case e.typ == "":
		e.typ, e.data = "MESSAGE_CREATE", nil
	case e.data == nil:
		e.data = []byte("null")
	}
	sessions := d.byShard[shard]
	if len(sessions) == 0 {
		d.tally(shard, EventCount{Lost: 1})
		return
	}
	e.holders = len(sessions)
	for _, s := range sessions {
		d.dispatch(s, e)
	}
}

// dispatchTo dispatches an uncounted event to every session that has its guild.
func (d *Discord) dispatchTo(in Dispatch) {
	for _, shard := range d.known {
		for _, s := range d.byShard[shard] {
			if guilds.Number(in.Guild)%s.count == s.shard {
				d.dispatch(s, &event{shard: shard, typ: in.Type, data: in.Data})
			}
		}
	}
}

// tally adds to a shard's count and to the total.
func (d *Discord) tally(shard int, n EventCount) {
	d.know(shard)
	d.numbers[shard].add(n)
	d.score.Events.add(n)
}

// know starts the count of a new shard.
func (d *Discord) know(shard int) {
	if d.numbers[shard] == nil {
		d.numbers[shard] = &EventCount{}
		at, _ := slices.BinarySearch(d.known, shard)
		d.known = slices.Insert(d.known, at, shard)
	}
}

func (c *EventCount) add(n EventCount) {
	c.Emitted += n.Emitted
	c.Delivered += n.Delivered
	c.Replayed += n.Replayed
	c.Doubled += n.Doubled
	c.Lost += n.Lost
}

// dispatch numbers e in s, keeps it for a replay and sends it if there is a connection that is not
// frozen.
func (d *Discord) dispatch(s *session, e *event) {
	s.seq++
	k := kept{s.seq, e}
	if len(s.kept) == d.c.ReplayEvents {
		s.dropped = s.kept[0].seq
		d.release(s.kept[0].event)
		s.kept = s.kept[1:] // append moves the rest to a new array when this one is used up
	}
	s.kept = append(s.kept, k)
	if s.conn != nil && !s.conn.frozen {
		d.send(s, k)
	}
}

// send writes one kept event to the session's connection and counts it: a first time, again for a
// replay, or a second time to another session.
func (d *Discord) send(s *session, k kept) {
	if k.number > 0 {
		switch {
		case k.seq <= s.sent:
			d.tally(k.shard, EventCount{Replayed: 1})
		case k.sent:
			d.tally(k.shard, EventCount{Doubled: 1})
		default:
			d.tally(k.shard, EventCount{Delivered: 1})
		}
	}
	k.sent = true
	s.sent = max(s.sent, k.seq)
	d.output(Event{Conn: s.conn.id, Seq: k.seq, Shard: s.shard, ShardCount: s.count, Type: k.typ, Number: k.number, Guild: k.guild, Data: k.data, Body: k.body})
}

// release records that one session will no longer send e for the first time; when none will, the
// event is lost.
func (d *Discord) release(e *event) {
	if e.number == 0 || e.sent {
		return
	}
	if e.holders--; e.holders == 0 {
		d.tally(e.shard, EventCount{Lost: 1})
	}
}
