package rules

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"github.com/discluster/control/transport/discord/guilds"
)

// session starts with READY: the numbering of one shard's events, and the events themselves for a
// replay.
type session struct {
	id           string
	shard, count int
	intents      int64
	conn         *conn // nil while it waits for a RESUME
	seq          int64 // of the last dispatch
	sent         int64 // the highest seq ever written to a connection
	dropped      int64 // the highest seq no longer kept: a RESUME from below it cannot be served
	kept         []kept
	lostAt       time.Time // when conn ended
}

// begin makes a new session for a connection that may have one.
func (d *Discord) begin(c *conn, in Identify) {
	d.started++
	s := &session{id: d.sessionID(), shard: in.Shard, count: in.ShardCount, intents: in.Intents, seq: 1, sent: 1}
	d.sessions[s.id] = s
	d.byShard[s.shard] = append(d.byShard[s.shard], s)
	d.know(s.shard)
	d.attach(s, c)
	d.score.ready(d.now, s)
	ready := Ready{
		Conn: c.id, Seq: 1, SessionID: s.id, Shard: s.shard, ShardCount: s.count,
		UserID: guilds.Bot, ApplicationID: guilds.Bot, Guilds: d.guildsOf(s),
	}
	d.output(ready)
	for _, id := range ready.Guilds {
		d.dispatch(s, &event{typ: "GUILD_CREATE", guild: id})
	}
}

// sessionID returns 32 hex digits, like Discord's, a function of the start and the number of
// sessions alone.
func (d *Discord) sessionID() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(d.seed))
	binary.BigEndian.PutUint64(b[8:], uint64(d.started))
	sum := sha256.Sum256(b[:])
	return hex.EncodeToString(sum[:16])
}

// resume checks a RESUME and replays what was missed. Order of the checks: connection, token,
// session, seq.
func (d *Discord) resume(c *conn, in Resume) {
	if !d.mayBegin(c, in.Token) {
		return
	}
	s := d.sessions[in.SessionID]
	switch {
	case s == nil:
		d.score.ResumesRefused++
		d.output(InvalidSession{Conn: c.id})
	case in.Seq < 0 || in.Seq > s.seq: // the session stays: its owner made no mistake
		d.score.ResumesRefused++
		d.close(c, CloseInvalidSeq, "Invalid seq.")
	case in.Seq < s.dropped: // a gap cannot be replayed, so the session is useless
		d.score.ResumesRefused++
		d.output(InvalidSession{Conn: c.id})
		d.expel(s)
	default:
		d.takeOver(c, s, in.Seq)
	}
}

// takeOver moves s to c and replays everything after seq. A connection that still has it is closed
// with a code that lets it resume in turn: two owners that do not know of each other steal the
// session from each other in a loop, as at Discord.
func (d *Discord) takeOver(c *conn, s *session, seq int64) {
	r := Resumption{Shard: s.shard, ShardCount: s.count, LostAt: s.lostAt, At: d.now, TakenOver: s.conn != nil}
	if old := s.conn; old != nil {
		r.LostAt = d.now
		d.close(old, CloseUnknown, "Session resumed elsewhere.")
	}
	d.attach(s, c)
	for _, k := range s.kept {
		if k.seq > seq {
			d.send(s, k)
			r.Replayed++
		}
	}
	s.seq++
	s.sent = s.seq
	d.score.resumed(r)
	d.output(Resumed{Conn: c.id, Seq: s.seq, Shard: s.shard})
}

// attach makes c the owner of s. Every other session of the same [shard, count] with a connection
// is a second owner from now on.
func (d *Discord) attach(s *session, c *conn) {
	for _, other := range d.byShard[s.shard] {
		if other != s && other.count == s.count && other.conn != nil {
			d.score.doubled(d.now, other, s, c.id)
		}
	}
	s.conn, c.session = c, s
	d.score.Owned++
}

// detach removes s from its connection; it waits for SessionWindow.
func (d *Discord) detach(s *session) {
	d.score.single(d.now, s)
	s.conn.session, s.conn = nil, nil
	s.lostAt = d.now
	d.score.Owned--
	d.deadlines.add(deadline{at: d.now.Add(d.c.SessionWindow), session: s})
}

// expel ends s, and sends op 9 to its connection, if any.
func (d *Discord) expel(s *session) {
	if c := s.conn; c != nil {
		d.output(InvalidSession{Conn: c.id})
		d.detach(s)
	}
	d.end(s)
}

// end forgets a session that has no connection. Its events that were never sent are lost.
func (d *Discord) end(s *session) {
	for _, k := range s.kept {
		d.release(k.event)
	}
	s.kept = nil
	delete(d.sessions, s.id)
	d.byShard[s.shard] = slices.DeleteFunc(d.byShard[s.shard], func(o *session) bool { return o == s })
	if len(d.byShard[s.shard]) == 0 {
		delete(d.byShard, s.shard)
	}
}
