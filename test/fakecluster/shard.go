package fakecluster

import (
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
)

// shard is one gateway session of a bot.
type shard struct {
	*bot
	id            int
	session       messages.Session // without an id: none
	cause         messages.IdentifyCause
	gateway       *sim.Gateway
	greets        bool               // its HELLO has arrived
	permitRequest messages.Snowflake // id of the permit asked for; "": none
	acked         bool
	now           messages.ShardState
	tries         int
	resumed       time.Time // time of the last RESUME
	events        int64
	ended         bool
}

// lapsedEvery is the pause between two RESUMEs of a session that another machine may have by now.
const lapsedEvery = time.Minute

// connect opens a connection; output of an older one is ignored.
func (s *shard) connect() {
	if s.ended {
		return
	}
	s.state(messages.ShardConnecting, 0)
	s.greets = false
	var g *sim.Gateway
	g = s.Discord.Open(s.p.Host.Name, func(out rules.Output) {
		s.p.Do(func() {
			if s.gateway == g && !s.ended {
				s.heard(out)
			}
		})
	})
	s.gateway = g
}

func (s *shard) heard(out rules.Output) {
	switch out := out.(type) {
	case rules.Hello:
		s.acked, s.greets = true, true
		s.heartbeat(s.gateway, out.Interval)
		s.greeted()
	case rules.Ready:
		s.tries = 0
		s.session = messages.Session{Shard: s.id, ShardCount: s.count, SessionID: out.SessionID, Seq: out.Seq, ResumeGatewayURL: "wss://resume", At: messages.At(s.p.Wall()), Intents: s.Intents}
		s.send(messages.InstanceSessions{EventID: s.event(), Sessions: []messages.Session{s.session}})
		s.state(messages.ShardReady, 0)
	case rules.Resumed:
		s.tries, s.resumed = 0, time.Now()
		s.moved(out.Seq)
		s.state(messages.ShardReady, 0)
	case rules.Event:
		s.moved(out.Seq)
	case rules.Ack:
		s.acked = true
	case rules.Reconnect:
		s.reconnect()
	case rules.InvalidSession:
		s.invalid(out.Resumable)
	case rules.Close:
		s.closed(out.Code, out.Reason)
	}
}

// moved records an event that was handled. CONTROL gets it within a second.
func (s *shard) moved(seq int64) {
	s.session.Seq, s.session.At = seq, messages.At(s.p.Wall())
	if !s.flushes {
		s.flushes = true
		s.p.After(time.Second, s.flush)
	}
}

// greeted resumes a session, or asks for a permit without one.
func (s *shard) greeted() {
	if s.session.SessionID != "" {
		s.state(messages.ShardResuming, 0)
		s.gateway.Send(func(c rules.Conn) rules.Input {
			return rules.Resume{Conn: c, Token: s.token, SessionID: s.session.SessionID, Seq: s.session.Seq}
		})
		return
	}
	s.ask()
}

func (s *shard) ask() {
	if s.silent { // it asks for none
		s.identify()
		return
	}
	s.state(messages.ShardWaitingPermit, 0)
	if s.Shy != "" && s.Shy == s.cause {
		return
	}
	if s.permitRequest == "" { // else the wait goes on
		s.permitRequest = s.event()
		s.permits[s.permitRequest] = s
		s.send(messages.PermitAsk{EventID: s.permitRequest, Shard: s.id, Cause: s.cause})
	}
}

func (s *shard) granted(m messages.PermitGrant) {
	s.permitRequest = ""
	if s.DieOnPermit {
		if s.gateway != nil && s.Discord.Chance(2) == 0 {
			s.identify()
		}
		s.p.Exit(1, "fake bot: died on a permit\n")
		return
	}
	if !m.Granted {
		s.p.After(m.RetryAfterMS.Duration(), func() {
			if s.gateway != nil && s.greets && s.session.SessionID == "" && !s.ended {
				s.ask()
			}
		})
		return
	}
	overdue := m.UseBefore != nil && !s.p.Wall().Before(m.UseBefore.Time()) || m.UseBeforeUp > 0 && s.p.Host.Uptime() >= m.UseBeforeUp.Duration()
	used := !overdue && s.gateway != nil && s.greets && s.session.SessionID == "" && !s.ended
	if used {
		s.identify()
	}
	s.send(messages.PermitSent{EventID: m.EventID, Shard: s.id, Sent: used})
	if overdue && s.gateway != nil && s.greets && s.session.SessionID == "" && !s.ended {
		s.ask()
	}
}

func (s *shard) identify() {
	if s.identified++; s.DieIdentified && s.identified == s.mine {
		s.p.After(time.Millisecond, func() { s.p.Exit(1, "fake bot: identified, and died\n") })
	}
	s.state(messages.ShardIdentifying, 0)
	s.gateway.Send(func(c rules.Conn) rules.Input {
		return rules.Identify{Conn: c, Token: s.token, Shard: s.id, ShardCount: s.count, Intents: s.Intents}
	})
}

func (s *shard) heartbeat(g *sim.Gateway, every time.Duration) {
	var next func()
	next = func() {
		if s.gateway != g || s.ended {
			return
		}
		if !s.acked { // a zombie connection
			s.reconnect()
			return
		}
		s.acked = false
		g.Send(func(c rules.Conn) rules.Input { return rules.Heartbeat{Conn: c} })
		s.p.After(every, next)
	}
	s.p.After(every/2, next)
}

// reconnect closes the connection so that its session lives on.
func (s *shard) reconnect() {
	if s.Deaf && s.Stubborn {
		return
	}
	if s.gateway != nil {
		s.gateway.Close(4000)
	}
	s.gateway = nil
	s.connect()
}

func (s *shard) invalid(resumable bool) {
	if !resumable {
		s.session = messages.Session{}
		s.cause = messages.CauseReidentify
		s.send(messages.InstanceSessions{EventID: s.event(), Gone: []int{s.id}})
	}
	g := s.gateway
	s.p.After(time.Second, func() {
		if s.gateway == g && !s.ended {
			s.greeted()
		}
	})
}

func (s *shard) closed(code int, reason string) {
	s.gateway = nil
	if messages.FatalCode(code) {
		s.fatal(s, code, reason)
		return
	}
	s.state(messages.ShardDisconnected, code)
	if rules.EndsSession(code) {
		s.session = messages.Session{}
		s.cause = messages.CauseReidentify
	}
	if s.Deaf {
		return
	}
	s.tries++
	wait := min(time.Second<<min(s.tries-1, 5), 30*time.Second)
	if s.lapsed && s.session.SessionID != "" {
		wait = max(wait, time.Until(s.resumed.Add(lapsedEvery)))
	}
	s.p.After(wait, s.connect)
}

func (s *shard) state(state messages.ShardState, code int) {
	s.is(state)
	if s.shardStates(); s.silent {
		return
	}
	s.send(messages.ShardStatus{EventID: s.event(), Shard: s.id, State: state, CloseCode: code})
	if state == messages.ShardReady && s.EventRate > 0 {
		s.figures(s.gateway)
	}
}

// figures reports the number of events every 5 s, while the connection is the same.
func (s *shard) figures(g *sim.Gateway) {
	if s.gateway != g || s.ended || s.silent || s.now != messages.ShardReady {
		return
	}
	s.send(messages.ShardStatus{EventID: s.event(), Shard: s.id, State: s.now, Events: &s.events})
	s.p.After(5*time.Second, func() {
		s.events += 5 * int64(s.EventRate)
		s.figures(g)
	})
}

// is records a state and reports it.
func (s *shard) is(state messages.ShardState) {
	was := s.now == messages.ShardReady
	s.now = state
	if is := state == messages.ShardReady; is != was && s.Up != nil {
		s.Up(s.id, is)
	}
}

// stop ends the shard and leaves its session to be resumed.
func (s *shard) stop() { s.close(4000) }

func (s *shard) close(code int) {
	s.ended = true
	s.is(messages.ShardDisconnected)
	if s.gateway != nil {
		s.gateway.Close(code)
	}
}

// gone ends the connection without a close, as the death of the process does.
func (s *shard) gone() { s.close(rules.CloseVanished) }
