package bot

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/ipc"
)

const (
	beatEvery = 5 * time.Second // where HELLO has no interval (PROTOCOL B2)
	// heartbeats without an answer, after which CONTROL is lost (DESIGN §1)
	beatsLost = 2
)

// conn is one connection to our socket.
type conn struct {
	c      *Cluster
	link   transport.Link
	closed chan struct{} // the link has ended
	hellos int           // valid ones
	// that CONTROL announced in the last HELLO
	features []string

	// Fields of the connection that CONTROL uses.
	every      time.Duration // between heartbeats
	beat       *time.Timer
	due        time.Time          // of the next heartbeat
	asked      messages.Snowflake // the last heartbeat
	askedAt    time.Time
	heard      time.Time // when the last answered heartbeat was sent, or HELLO came
	unanswered int       // heartbeats
	connected  bool      // CONNECTED was sent on it
	lapsed     bool      // CONTROL's last answer had it
}

// accept handles a new connection. mu is free.
func (c *Cluster) accept(link transport.Link) {
	l := &conn{c: c, link: link, closed: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		link.Close(0, "the cluster ends")
	} else {
		c.conns[l] = true
	}
	link.Receive(l.frame, l.ended)
}

// frame handles one packet from l. mu is free.
func (l *conn) frame(frame []byte) {
	defer l.link.Ack()
	c := l.c
	frame = bytes.Clone(frame) // values stay parts of it
	var d ipc.Delivery
	var m messages.FromManager
	delivery, err := d.Read(frame)
	if delivery = delivery && (d.Op == messages.IPCError || d.T != messages.TMessage || c.opt.messages != nil || c.opt.relay != nil) &&
		(d.T != messages.TBroadcastEval || c.opt.guest != nil); !delivery {
		m, err = ipc.DecodeFromManager(frame)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over:
	case err != nil:
		c.opt.log.Warn("unreadable packet from CONTROL", "err", err)
	case !delivery:
		c.packet(l, m)
	case l == c.conn:
		c.delivered(d, frame)
	}
}

// packet handles a message of CONTROL. On a connection without HELLO, or that another one has
// replaced, only HELLO counts.
func (c *Cluster) packet(l *conn, m messages.FromManager) {
	if h, hello := m.(messages.Hello); hello {
		c.greeted(l, h)
		return
	}
	if l != c.conn {
		return
	}
	switch m := m.(type) {
	case messages.IPCBeat:
		l.unanswered = 0
		l.lapsed = m.Lapsed
		if m.EventID == l.asked {
			l.heard = l.askedAt
		}
		if m.EventID == l.asked && m.LeaseMS > 0 {
			// from when we sent it: CONTROL cannot have meant a later moment
			c.lease(l.askedAt.Add(m.LeaseMS.Duration()))
		}
	case messages.PermitGrant:
		c.granted(m)
	case messages.Reconnect:
		for _, s := range c.shards {
			if s.id == m.Shard {
				s.orderReconnect()
			}
		}
	case messages.Drain:
		c.answers = append(c.answers, messages.Drained{EventID: m.EventID})
		c.halt(m.DeadlineMS.Duration(), false, nil)
	case messages.Destroying:
		c.answers = append(c.answers, m)
		c.halt(c.opt.grace, true, nil)
	case messages.Operation:
		if answer := c.operate(m); answer != nil {
			c.send(*answer)
		}
	}
}

// greeted handles a HELLO: the first one assigns our shards, one on another connection brings
// CONTROL back, and each is answered.
func (c *Cluster) greeted(l *conn, h messages.Hello) {
	if h.ID != c.env.manager {
		c.opt.log.Warn("HELLO with another manager's id", "id", h.ID)
		l.send(messages.InvalidSession{ID: c.env.instance})
		return
	}
	l.hellos++
	l.heard, l.features = time.Now(), h.Features
	l.every = h.HeartbeatIntervalMS.Duration()
	if l.every == 0 {
		l.every = beatEvery
	}
	if c.hello.Shards == nil {
		c.hello = h
		for _, id := range h.Shards {
			c.shards = append(c.shards, &Shard{c: c, id: id, reconnect: make(chan struct{}, 1), status: messages.ShardStatus{Shard: id, State: messages.ShardIdle}})
		}
		close(c.joined)
	}
	if h.OnLost != "" {
		c.onLost, c.lostAfter = h.OnLost, h.LostAfterMS.Duration()
	}
	if h.LeaseMS > 0 {
		c.lease(time.Now().Add(h.LeaseMS.Duration()))
	}
	if l == c.conn {
		l.send(c.identify(h.EventID))
	} else {
		c.adopted(l, h)
	}
	if !c.opt.resume || h.Sessions != nil || l.hellos > 1 {
		c.begin(h.Sessions)
	}
}

// begin lets the shards start, with the sessions offered. Only its first call has an effect.
func (c *Cluster) begin(offered *[]messages.Session) {
	select {
	case <-c.begun:
		return
	default:
	}
	if offered != nil && c.opt.resume {
		for _, s := range *offered {
			c.offer(s)
		}
	}
	close(c.begun)
}

// identify returns our answer to a HELLO.
func (c *Cluster) identify(event messages.Snowflake) messages.Identify {
	i := messages.Identify{
		ID: c.env.instance, EventID: event, Protocol: messages.ProtocolVersion, SDK: "discluster-go/" + Version, PID: os.Getpid(), Intents: c.opt.intents,
		Features: []string{messages.FeatureHeartbeat, messages.FeaturePermits, messages.FeatureShards, messages.FeatureDrain},
		State:    messages.InstanceIdle, Shards: c.hello.Shards, ShardCount: c.hello.TotalShards,
	}
	if c.opt.resume {
		i.Features = append(i.Features, messages.FeatureSessions)
		i.Sessions = c.sessions()
	}
	if c.serving {
		i.State = messages.InstanceServing
	}
	if c.isStopping() {
		i.State = messages.InstanceDraining
	}
	return i
}

// adopted makes l the connection of CONTROL. It may be another CONTROL than before: it gets the
// whole state, and all open requests again.
func (c *Cluster) adopted(l *conn, h messages.Hello) {
	if old := c.conn; old != nil {
		stopTimers(old.beat)
		old.link.Close(0, "CONTROL uses another connection")
	}
	c.conn = l
	stopTimers(c.lostTimer)
	c.lostTimer = nil
	l.due = time.Now().Add(l.every)
	l.beat = time.AfterFunc(l.every, l.heartbeat)
	c.send(c.identify(h.EventID))
	if c.serving {
		c.sendSessions(nil, c.missing())
		for _, s := range c.shards {
			c.send(s.status)
		}
	}
	c.reportConnected()
	for _, shard := range slices.Sorted(maps.Keys(c.unreported)) {
		c.send(c.unreported[shard])
	}
	clear(c.unreported)
	c.sendDeaths()
	for _, id := range slices.Sorted(maps.Keys(c.permits)) {
		c.send(c.permits[id].packet)
	}
}

// heartbeat sends one heartbeat, or ends a connection on which they are not answered. mu is free.
func (l *conn) heartbeat() {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if l != c.conn || c.over {
		return
	}
	if time.Since(l.due) > l.every { // this process was suspended, not CONTROL
		l.unanswered = 0
	}
	if l.unanswered == beatsLost {
		l.link.Close(0, "heartbeats not answered")
		c.lost(l.heard, fmt.Errorf("%d heartbeats not answered", beatsLost))
		return
	}
	l.unanswered++
	l.asked, l.askedAt = c.mint.New(time.Now(), uint32(c.env.cluster)), time.Now()
	l.send(messages.IPCBeat{ID: c.env.instance, EventID: l.asked})
	l.due = time.Now().Add(l.every)
	l.beat.Reset(l.every)
}

// ended handles the end of l. mu is free.
func (l *conn) ended(err error) {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	close(l.closed)
	delete(c.conns, l)
	c.loseRequests(l)
	if l == c.conn && !c.over {
		c.lost(time.Now(), err)
	}
}

// lost starts a time without CONTROL, which was last known alive at since: MASTER counts from
// CONTROL's silence, not from when we noticed it.
func (c *Cluster) lost(since time.Time, err error) {
	stopTimers(c.conn.beat)
	c.conn = nil
	c.opt.log.Warn("CONTROL is away: serving alone", "on_lost", c.onLost, "lost_after", c.lostAfter, "err", err)
	if c.onLost != messages.OnLostExit {
		return
	}
	var timer *time.Timer
	until := since.Add(c.lostAfter)
	timer = time.AfterFunc(look(until), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case c.lostTimer != timer:
		case messages.Left(until) > 0:
			timer.Reset(look(until))
		default:
			c.halt(shortGrace, false, fmt.Errorf("%w for %s", ErrLost, c.lostAfter))
		}
	})
	c.lostTimer = timer
}

// look returns the time until the next check of a deadline: timers stop while the machine is
// suspended.
func look(until time.Time) time.Duration { return min(messages.Left(until), messages.CheckLeftEvery) }

// lease lets the cluster serve until a moment. A lease is only ever prolonged.
func (c *Cluster) lease(until time.Time) {
	if !until.After(c.leaseUntil) {
		return
	}
	c.leaseUntil = until
	if c.leaseTimer != nil {
		c.leaseTimer.Reset(look(until))
		return
	}
	c.leaseTimer = time.AfterFunc(look(until), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if messages.Left(c.leaseUntil) > 0 {
			c.leaseTimer.Reset(look(c.leaseUntil))
		} else {
			c.halt(shortGrace, false, fmt.Errorf("%w: the lease ran out", ErrLost))
		}
	})
}

// send sends a message to CONTROL, if it is there.
func (c *Cluster) send(m messages.FromInstance) {
	if c.conn != nil && !c.over {
		c.conn.send(m)
	}
}

// send sends a message on l. A link that has ended reports that by itself.
func (l *conn) send(m messages.FromInstance) {
	frame, err := ipc.EncodeFromInstance(m)
	if err == nil {
		err = l.link.Send(frame)
	}
	if err != nil && !errors.Is(err, transport.ErrEnded) {
		l.c.opt.log.Error("packet to CONTROL is lost", "packet", fmt.Sprintf("%T", m), "err", err)
	}
}
