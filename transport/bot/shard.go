package bot

import (
	"slices"
	"time"

	"github.com/discluster/control/messages"
)

const (
	figuresEvery  = 5 * time.Second // PROTOCOL B2: CONTROL may have ten thousand shards
	sessionsEvery = time.Second     // the maximum age of a seq in CONTROL's store (DESIGN §5)
)

// Shard is one gateway session of this cluster. Its methods are safe for concurrent use; those that
// report something never block, and report it again to a CONTROL that returns.
type Shard struct {
	c         *Cluster
	id        int
	reconnect chan struct{}

	status   messages.ShardStatus
	figures  bool              // not reported
	wasReady bool              // at least once
	session  *messages.Session // nil: there is none
	moved    bool              // its seq is not reported
	reported string            // the id of the session whose READY was reported
}

// ID returns the shard's number in the fleet.
func (s *Shard) ID() int { return s.id }

// Count returns the number of shards in the fleet.
func (s *Shard) Count() int { return s.c.ShardCount() }

// Session returns what this shard can resume, nil where it must identify: at first CONTROL's offer
// (only with bot.Resume), then the result of SetSession and SessionGone.
func (s *Shard) Session() *messages.Session {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.session == nil {
		return nil
	}
	session := *s.session
	session.Guilds = slices.Clone(session.Guilds)
	return &session
}

// SetSession reports a new session, or a new seq: that of the last event whose handler returned.
// Shard, shard count, a missing time and missing intents are filled in. A new session is reported
// at once, a new seq within a second.
func (s *Shard) SetSession(session messages.Session) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	session.Shard, session.ShardCount = s.id, c.hello.TotalShards
	if session.Intents == 0 {
		session.Intents = c.opt.intents
	}
	if session.At == 0 {
		session.At = messages.At(c.opt.wall())
	}
	begins := s.session == nil || s.session.SessionID != session.SessionID
	s.session, s.moved = &session, true
	switch {
	case !c.opt.resume || c.over:
	case begins:
		c.reportSessions()
	case c.moves == nil:
		c.moves = time.AfterFunc(sessionsEvery, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.reportSessions()
		})
	}
}

// SessionGone reports that Discord refused the session, or that it was ended.
func (s *Shard) SessionGone() {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.session == nil {
		return
	}
	s.session, s.moved = nil, false
	if c.opt.resume {
		c.sendSessions(nil, []int{s.id})
	}
}

// State reports the shard's state; closeCode is the close code of its connection, 0 where Discord
// gave none. Once each shard was ready CONTROL gets CONNECTED.
func (s *Shard) State(state messages.ShardState, closeCode int) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.status.State == state && s.status.CloseCode == closeCode {
		return
	}
	s.status.State, s.status.CloseCode, s.figures = state, closeCode, false
	c.send(s.status)
	if state == messages.ShardReady && !s.wasReady {
		s.wasReady = true
		c.ready = !slices.ContainsFunc(c.shards, func(s *Shard) bool { return !s.wasReady })
		c.reportConnected()
	}
}

// Figures reports the latency of the gateway, the number of guilds and that of events since the
// process started; a negative one is unknown, as is a latency of 0. They are sent every 5 s at
// most, a latency in whole milliseconds, rounded up.
func (s *Shard) Figures(latency time.Duration, guilds int, events int64) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	s.status.LatencyMS, s.status.Guilds, s.status.Events = max(0, messages.Millis(latency+time.Millisecond-1)), nil, nil
	if guilds >= 0 {
		s.status.Guilds = &guilds
	}
	if events >= 0 {
		s.status.Events = &events
	}
	c.figuresMoved(s)
}

// figuresMoved has the figures of a shard sent. mu is held.
func (c *Cluster) figuresMoved(s *Shard) {
	s.figures = true
	if c.figures == nil && !c.over {
		c.figures = time.AfterFunc(figuresEvery, c.reportFigures)
	}
}

// Reconnect delivers CONTROL's order to close the shard's connection with 4000 and resume it.
func (s *Shard) Reconnect() <-chan struct{} { return s.reconnect }

// orderReconnect passes the order on; one that is still waiting is enough.
func (s *Shard) orderReconnect() {
	select {
	case s.reconnect <- struct{}{}:
	default:
	}
}

// reportFigures sends all that changed. mu is free.
func (c *Cluster) reportFigures() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.figures = nil
	for _, s := range c.shards {
		if s.figures {
			s.figures = false
			c.send(s.status)
		}
	}
}

// reportConnected reports that every shard was ready: once to each CONTROL, since one that adopts
// us cannot know (PROTOCOL A3).
func (c *Cluster) reportConnected() {
	if c.ready && c.conn != nil && !c.conn.connected {
		c.conn.connected = true
		c.send(messages.Connected{EventID: c.env.instance})
	}
}

// reportSessions sends every session that changed. READY's data is sent with the first report of a
// session only: a large bot's list of guilds is long, and CONTROL keeps it.
func (c *Cluster) reportSessions() {
	stopTimers(c.moves)
	c.moves = nil
	var moved []messages.Session
	for _, s := range c.shards {
		if s.moved {
			s.moved = false
			m := *s.session
			if s.reported == m.SessionID {
				m.UserID, m.ApplicationID, m.Guilds = "", "", nil
			}
			s.reported = m.SessionID
			moved = append(moved, m)
		}
	}
	c.sendSessions(moved, nil)
}

// sendSessions sends the sessions that changed and the shards without one, if any.
func (c *Cluster) sendSessions(moved []messages.Session, gone []int) {
	if len(moved)+len(gone) > 0 {
		c.send(messages.InstanceSessions{Sessions: moved, Gone: gone})
	}
}

// sessions returns all sessions.
func (c *Cluster) sessions() []messages.Session {
	all := []messages.Session{}
	for _, s := range c.shards {
		if s.session != nil && c.opt.resume {
			all = append(all, *s.session)
		}
	}
	return all
}

// missing returns the shards without a session, which a CONTROL that was away may believe to have
// one.
func (c *Cluster) missing() (ids []int) {
	for _, s := range c.shards {
		if s.session == nil && c.opt.resume {
			ids = append(ids, s.id)
		}
	}
	return ids
}

// offer takes over a session that CONTROL offers, if a shard can resume it.
func (c *Cluster) offer(session messages.Session) {
	if session.ShardCount != c.hello.TotalShards || c.opt.intents != 0 && session.Intents != 0 && session.Intents != c.opt.intents {
		c.opt.log.Warn("session offered does not fit", "shard", session.Shard, "shard_count", session.ShardCount, "intents", session.Intents)
		return
	}
	for _, s := range c.shards {
		if s.id == session.Shard {
			s.session = &session
		}
	}
}
