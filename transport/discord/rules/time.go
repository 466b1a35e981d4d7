package rules

import (
	"container/heap"
	"time"
)

// deadline is a moment at which a connection may be too silent or a waiting session too old. It is
// checked when it comes, not moved by heartbeats.
type deadline struct {
	at      time.Time
	order   int // of insertion, which decides between equal moments
	conn    *conn
	session *session
}

// deadlines is a heap, the earliest first.
type deadlines struct {
	items []deadline
	added int
}

func (h *deadlines) Len() int { return len(h.items) }
func (h *deadlines) Less(i, j int) bool {
	if !h.items[i].at.Equal(h.items[j].at) {
		return h.items[i].at.Before(h.items[j].at)
	}
	return h.items[i].order < h.items[j].order
}
func (h *deadlines) Swap(i, j int) { h.items[i], h.items[j] = h.items[j], h.items[i] }
func (h *deadlines) Push(x any)    { h.items = append(h.items, x.(deadline)) }
func (h *deadlines) Pop() any {
	last := h.items[len(h.items)-1]
	h.items[len(h.items)-1] = deadline{} // release its pointers
	h.items = h.items[:len(h.items)-1]
	return last
}

func (h *deadlines) add(d deadline) {
	h.added++
	d.order = h.added
	heap.Push(h, d)
}

// Next returns the moment of the next Tick that may change something; false: none is needed until
// the next input. It may be early, never late.
func (d *Discord) Next() (time.Time, bool) {
	if len(d.deadlines.items) == 0 {
		return time.Time{}, false
	}
	return d.deadlines.items[0].at, true
}

// advance lets time pass up to now: every deadline happens at its own moment.
func (d *Discord) advance(now time.Time) {
	for len(d.deadlines.items) > 0 && !d.deadlines.items[0].at.After(now) {
		due := heap.Pop(&d.deadlines).(deadline)
		if due.at.After(d.now) {
			d.now = due.at
		}
		if due.conn != nil {
			d.silence(due.conn)
		} else {
			d.expire(due.session, due.at)
		}
	}
	if now.After(d.now) {
		d.now = now
	}
	d.renew(d.now)
}

// silentAt returns the moment at which Discord closes a connection without heartbeats: 1.5
// intervals after the last. Discord does not document it; between 1 and 2 was observed.
func (d *Discord) silentAt(c *conn) time.Time { return c.heard.Add(d.c.HeartbeatInterval * 3 / 2) }

// silence closes a connection that has been too silent, or checks again later. The silence of a
// frozen one does not count.
func (d *Discord) silence(c *conn) {
	if d.conns[c.id] != c {
		return
	}
	if c.frozen {
		c.heard = d.now
	}
	if at := d.silentAt(c); at.After(d.now) {
		d.deadlines.add(deadline{at: at, conn: c})
		return
	}
	d.score.TimedOut++
	d.close(c, CloseSessionTimedOut, "Session timed out.")
}

// expire ends a session that has waited SessionWindow, unless it was resumed in between: then a
// later loss has set its own deadline.
func (d *Discord) expire(s *session, at time.Time) {
	if d.sessions[s.id] == s && s.conn == nil && !s.lostAt.Add(d.c.SessionWindow).After(at) {
		d.score.Expired++
		d.end(s)
	}
}
