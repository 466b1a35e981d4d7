// Package fakecluster holds the scripted cluster processes of simulations.
//
//	sdk.go      a bot on the SDK: asks for permits, reports its shards, sends heartbeats, drains
//	stock.go    a stock Discordoo: answers HELLO, sends CONNECTED or its failure, and paces itself
//	env.go      a bot that knows only its environment
//	talk.go     the operations between clusters
//	shard.go    one shard of any of them, against the simulated Discord
//	guest.go    what programs of real code share, on goroutines beside the loop
//	real.go     a bot on the real SDK
//	gateway.go  the real gateway host; behind.go a bot behind it; diary.go what such bots got
package fakecluster

import (
	"fmt"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/ipc"
)

// SDK is a bot on the SDK, with options to misbehave. The zero value, with Discord set, is a good
// bot.
type SDK struct {
	Discord *sim.Discord
	Intents int64
	// Up is called when a shard becomes READY, and when it no longer is; nil: never.
	Up func(shard int, up bool)

	Boot        time.Duration // from exec to the open socket
	NeverListen bool          // runs without opening a socket
	Silent      bool          // opens it and sends nothing
	WrongID     bool          // answers HELLO with another instance's id
	NoSessions  bool          // announces no sessions: it always identifies
	AsksFirst   bool          // sends a new CONTROL its permit requests before and after its IDENTIFY
	ExitAfter   time.Duration // exits with ExitCode this long after its start; 0: never
	ExitCode    int
	IgnoreTerm  bool          // ignores SIGTERM and DRAIN
	MuteAfter   time.Duration // sends no heartbeat after this time; 0: never
	HangUpAfter time.Duration // closes its connection to CONTROL once, at this time; 0: never
	HangUpEvery time.Duration // closes every connection this long after it was opened; 0: never
	StayAway    bool          // closes its socket too
	// For this cause a shard reports that it waits for a permit without asking for one.
	Shy      messages.IdentifyCause
	Deaf     bool        // a shard whose connection was closed does not dial again by itself
	Stubborn bool        // nor after RECONNECT
	Speaks   func(Voice) // called in every run after HELLO
	// Called for every operation; false: it is answered as usual.
	Hears func(v Voice, op messages.Operation) bool

	DieIdentified bool // dies when every shard has identified
	// Dies between its first permit and the report of it, after or before the identify.
	DieOnPermit bool
	EventRate   int // events a second that each READY shard reports; 0: none
}

// patient bounds how long a process that listens waits for its first HELLO (PROTOCOL A3, 6;
// transport/bot does the same).
const patient = 30 * time.Second

// Program runs the bot as a process of a host.
func (s SDK) Program(p *sim.Proc) {
	b := newBot(s, p)
	if s.ExitAfter > 0 {
		p.After(s.ExitAfter, func() { p.Exit(s.ExitCode, "fake bot: scripted exit\n") })
	}
	p.OnSignal = func(sig syscall.Signal) {
		if !s.IgnoreTerm {
			b.drain(nil)
		}
	}
	p.OnEnd = b.gone
	if !s.NeverListen {
		p.After(s.Boot, b.listen)
	}
}

func newBot(s SDK, p *sim.Proc) *bot {
	b := &bot{SDK: s, p: p, snowflake: messages.Snowflake(p.Env("SHARDING_INSTANCE_IPC")), manager: messages.Snowflake(p.Env("SHARDING_MANAGER_IPC")), token: p.Env("DISCORD_TOKEN"),
		asked: map[messages.Snowflake]time.Time{}}
	b.mint.Worker = uint32(p.PID())
	b.shardStates, b.fatal = func() {}, b.shardFailed
	return b
}

// gone ends the process: all its connections vanish.
func (b *bot) gone() {
	for _, s := range b.shards {
		s.gone()
	}
}

// allReady reports whether every shard of the cluster is READY.
func (b *bot) allReady() bool {
	return b.mine > 0 && len(b.shards) == b.mine && !slices.ContainsFunc(b.shards, func(s *shard) bool { return s.now != messages.ShardReady })
}

// bot is one run of a cluster process.
type bot struct {
	SDK
	p          *sim.Proc
	snowflake  messages.Snowflake
	manager    messages.Snowflake
	mint       messages.Mint
	token      string
	count      int
	mine       int // number of shards of this cluster
	link       transport.Link
	shards     []*shard
	permits    map[messages.Snowflake]*shard
	identified int // number of identifies
	beating    bool
	fresh      bool // the link is new
	flushes    bool // a report of the moved sessions is scheduled
	draining   bool
	connected  bool // has sent CONNECTED

	silent      bool   // asks for no permits and reports nothing about its shards
	shardStates func() // called when the state of a shard changes
	fatal       func(s *shard, code int, reason string)

	asked     map[messages.Snowflake]time.Time // heartbeats without an answer
	lostAfter time.Duration                    // 0: it goes on without CONTROL
	answered  time.Time                        // when it sent the last heartbeat that was answered
	lapsed    bool                             // CONTROL's last report
	lease     time.Time                        // when its leave to serve ends; zero: never
}

func (b *bot) listen() {
	stop, err := b.p.Listen(b.p.Env("DISCLUSTER_SOCKET"), b.accept)
	if err != nil {
		panic(err) // two processes with one socket
	}
	b.p.After(patient, func() {
		if !b.beating {
			b.p.Exit(1, "no HELLO from CONTROL\n")
		}
	})
	if b.HangUpAfter > 0 {
		b.p.After(b.HangUpAfter, func() {
			if b.StayAway {
				stop()
			}
			if b.link != nil {
				b.link.Close(0, "")
			}
		})
	}
}

func (b *bot) accept(l transport.Link) {
	b.link, b.fresh = l, true
	l.Receive(
		func(frame []byte) { b.p.Do(func() { l.Ack(); b.packet(frame) }) },
		func(error) {
			if b.link == l {
				b.link = nil
			}
		})
	if b.AsksFirst {
		b.sendPermitRequests()
	}
	if b.HangUpEvery > 0 && b.p.Up() > b.HangUpAfter {
		b.p.After(b.HangUpEvery, func() { l.Close(0, "") })
	}
}

// sendPermitRequests asks again for the permits that its shards wait for.
func (b *bot) sendPermitRequests() {
	for _, s := range b.shards {
		if s.permitRequest != "" {
			b.send(messages.PermitAsk{EventID: s.permitRequest, Shard: s.id, Cause: s.cause})
		}
	}
}

func (b *bot) send(m messages.FromInstance) {
	if b.link == nil || b.Silent {
		return
	}
	frame, err := ipc.EncodeFromInstance(m)
	if err != nil {
		panic(err)
	}
	_ = b.link.Send(frame)
}

func (b *bot) event() messages.Snowflake {
	id, _ := strconv.Atoi(b.p.Env("CLUSTER_ID"))
	return b.mint.New(time.Now(), uint32(id))
}

func (b *bot) packet(frame []byte) {
	m, err := ipc.DecodeFromManager(frame)
	if err != nil {
		panic(err) // CONTROL never sends an unreadable packet
	}
	switch m := m.(type) {
	case messages.Hello:
		b.hello(m)
	case messages.IPCBeat:
		if at, is := b.asked[m.EventID]; is {
			delete(b.asked, m.EventID)
			b.lapsed = m.Lapsed
			b.heard(at, m.LeaseMS.Duration())
		}
	case messages.PermitGrant:
		if s := b.permits[m.EventID]; s != nil {
			delete(b.permits, m.EventID)
			s.granted(m)
		}
	case messages.Reconnect:
		for _, s := range b.shards {
			if s.id == m.Shard {
				s.reconnect()
			}
		}
	case messages.Operation:
		b.operation(m)
	case messages.Drain:
		if !b.IgnoreTerm {
			b.drain(&m)
		}
	case messages.Destroying:
		if b.IgnoreTerm {
			return
		}
		for _, s := range b.shards {
			s.close(1000)
		}
		b.send(messages.Destroying{EventID: m.EventID})
		b.p.After(5*time.Millisecond, func() { b.p.Exit(0, "") })
	}
}

func (b *bot) hello(m messages.Hello) {
	id := b.snowflake
	if b.WrongID {
		id = b.event()
	}
	identify := messages.Identify{ID: id, EventID: m.EventID, Protocol: messages.ProtocolVersion, SDK: "fake/1", PID: b.p.PID(), Intents: b.Intents,
		Features: []string{messages.FeatureHeartbeat, messages.FeaturePermits, messages.FeatureSessions, messages.FeatureShards, messages.FeatureDrain},
		State:    messages.InstanceIdle, Shards: m.Shards, ShardCount: m.TotalShards}
	if b.NoSessions {
		identify.Features = slices.DeleteFunc(identify.Features, func(f string) bool { return f == messages.FeatureSessions })
	}
	if b.shards != nil {
		identify.State, identify.Sessions = messages.InstanceServing, b.sessions()
	}
	b.send(identify)
	if b.Speaks != nil && b.fresh {
		b.Speaks(Voice{b})
	}
	b.lostAfter = 0
	if m.OnLost == messages.OnLostExit {
		b.lostAfter = m.LostAfterMS.Duration()
	}
	b.heard(time.Now(), m.LeaseMS.Duration())
	if b.fresh { // another CONTROL, which does not know it
		b.fresh = false
		for _, s := range b.shards {
			s.state(s.now, 0)
		}
		b.sendPermitRequests()
	}
	if !b.beating {
		b.beating = true
		b.beat(m.HeartbeatIntervalMS.Duration())
	}
	if (b.NoSessions || m.Sessions != nil) && b.shards == nil && !b.draining {
		b.begin(m)
	}
}

// begin starts every shard, on the HELLO that brings the sessions.
func (b *bot) begin(m messages.Hello) {
	b.count, b.mine, b.permits = m.TotalShards, len(m.Shards), map[messages.Snowflake]*shard{}
	sessions := map[int]messages.Session{}
	if !b.NoSessions {
		for _, s := range *m.Sessions {
			sessions[s.Shard] = s
		}
	}
	for _, id := range m.Shards {
		s := &shard{bot: b, id: id, cause: messages.CauseStart}
		if kept, ok := sessions[id]; ok {
			s.session = kept
		}
		b.shards = append(b.shards, s)
		s.connect()
	}
}

func (b *bot) beat(every time.Duration) {
	started := time.Now()
	var next func()
	next = func() {
		if b.MuteAfter == 0 || time.Since(started) < b.MuteAfter {
			id := b.event()
			b.asked[id] = time.Now()
			b.send(messages.IPCBeat{ID: b.snowflake, EventID: id})
			b.p.After(every, next)
		}
	}
	b.p.After(every, next)
}

// heard records an answer of CONTROL to a heartbeat sent at a time. The bot ends when answers stay
// away too long, or when the lease is not renewed.
func (b *bot) heard(at time.Time, lease time.Duration) {
	b.answered = at
	if b.lostAfter > 0 {
		b.p.After(time.Until(at.Add(b.lostAfter)), func() {
			if b.answered.Equal(at) {
				b.drain(nil)
			}
		})
	}
	if until := at.Add(lease); lease > 0 && until.After(b.lease) {
		b.lease = until
		b.p.After(time.Until(until), func() {
			if b.lease.Equal(until) {
				b.drain(nil)
			}
		})
	}
}

// drain closes every shard resumably, answers, and ends the process.
func (b *bot) drain(m *messages.Drain) {
	if b.draining {
		return
	}
	b.draining = true
	sessions := b.sessions()
	for _, s := range b.shards {
		s.stop()
	}
	if m != nil {
		b.send(messages.Drained{EventID: m.EventID, Sessions: sessions})
	}
	b.p.After(5*time.Millisecond, func() { b.p.Exit(0, "") })
}

// sessions returns the sessions that the shards could resume.
func (b *bot) sessions() []messages.Session {
	sessions := []messages.Session{}
	for _, s := range b.shards {
		if s.session.SessionID != "" {
			sessions = append(sessions, s.session)
		}
	}
	return sessions
}

// flush reports the sessions.
func (b *bot) flush() {
	b.flushes = false
	if all := b.sessions(); len(all) > 0 {
		b.send(messages.InstanceSessions{EventID: b.event(), Sessions: all})
	}
}

// shardFailed handles a close code that ends the bot.
func (b *bot) shardFailed(s *shard, code int, reason string) {
	s.state(messages.ShardFailed, code)
	b.fail(code, fmt.Sprintf("shard %d: closed with %d: %s", s.id, code, reason))
}

// fail reports a failure and ends the process, at once or a little later, so that CONTROL may see
// the exit before the report.
func (b *bot) fail(code int, text string) {
	b.send(messages.Failure{EventID: b.snowflake, Error: messages.FailureError{Name: "FatalError", Message: text + b.p.Indiscreet(), Code: code}})
	b.p.After(time.Duration(b.Discord.Chance(2))*20*time.Millisecond, func() { b.p.Exit(1, text+"\n") })
}
