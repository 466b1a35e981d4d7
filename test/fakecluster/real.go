package fakecluster

import (
	"context"
	"log/slog"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
	sdk "github.com/discluster/control/transport/bot"
	"github.com/discluster/control/transport/discord/rules"
)

// Real is a bot on the real SDK: transport/bot runs as in a process, over the simulated machine.
// Only its shards are written for the simulated Discord.
type Real struct{ Discord *sim.Discord }

// Program runs the bot as a process of a host.
func (r Real) Program(p *sim.Proc) {
	b := &realBot{Real: r, guest: newGuest(p)}
	p.OnEnd = func() {
		b.end()
		for _, g := range b.gateways {
			g.Close(rules.CloseVanished)
		}
	}
	go func() {
		defer b.end()
		code := 0
		c, err := sdk.Join(b.ctx, sdk.On(b.machine()), sdk.Resume(), sdk.Log(slog.New(slog.DiscardHandler)))
		if err == nil {
			b.cluster = c
			err = c.Run(b.ctx, b.serve)
		}
		if err != nil {
			code = 1
		}
		b.do(func() { p.Exit(code, "") })
	}()
}

// realBot is one run of a Real.
type realBot struct {
	Real
	*guest
	cluster  *sdk.Cluster
	gateways []*sim.Gateway // all that were opened; only the loop uses it
}

// serve runs one shard, connection after connection.
func (b *realBot) serve(ctx context.Context, s *sdk.Shard) error {
	cause, fails := messages.CauseStart, 0
	var resumed time.Time
	for {
		s.State(messages.ShardConnecting, 0)
		g := &realGateway{bot: b, shard: s, out: make(chan rules.Output, 1024), cause: cause}
		wait, over := g.run(ctx)
		cause = messages.CauseReidentify
		if over {
			return nil
		}
		if g.ready {
			fails, resumed = 0, time.Now()
		}
		if fails++; wait {
			pause := min(time.Second<<min(fails-1, 5), 30*time.Second)
			if b.cluster.Lapsed() && s.Session() != nil {
				pause = max(pause, time.Until(resumed.Add(lapsedEvery)))
			}
			select {
			case <-time.After(pause):
			case <-s.Reconnect():
			case <-b.cluster.Stopping():
				return nil
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// realGateway is one connection of a shard.
type realGateway struct {
	bot     *realBot
	shard   *sdk.Shard
	out     chan rules.Output
	cause   messages.IdentifyCause
	gateway *sim.Gateway // only the loop uses it
	ready   bool
	acked   bool
	every   time.Duration // between heartbeats
}

func (g *realGateway) send(in func(rules.Conn) rules.Input) { g.bot.do(func() { g.gateway.Send(in) }) }

// run handles one connection to its end. It returns wait if the next one must wait, and over if
// there is none.
func (g *realGateway) run(ctx context.Context) (wait, over bool) {
	b := g.bot
	asking, forget := context.WithCancel(ctx)
	defer forget()
	permits := make(chan *sdk.Permit)
	b.do(func() {
		g.gateway = b.Discord.Open(b.p.Host.Name, func(o rules.Output) {
			b.p.Do(func() {
				select {
				case g.out <- o:
				default: // it no longer reads
				}
			})
		})
		b.gateways = append(b.gateways, g.gateway)
	})
	leave := func(code int) { b.do(func() { g.gateway.Close(code) }) }
	var beat, again <-chan time.Time
	for {
		select {
		case o := <-g.out:
			switch o := o.(type) {
			case rules.Hello:
				g.every = o.Interval
				beat = time.After(g.every / 2)
				g.begin(asking, permits)
			case rules.Reconnect:
				leave(4000)
				return false, false
			case rules.InvalidSession:
				again = time.After(time.Second)
			case rules.Close:
				g.heard(o)
				return true, false
			}
			g.heard(o)
		case <-again:
			again = nil
			g.begin(asking, permits)
		case p := <-permits:
			if p.Overdue() {
				p.Unused()
				g.begin(asking, permits)
				continue
			}
			g.shard.State(messages.ShardIdentifying, 0)
			g.send(func(c rules.Conn) rules.Input {
				return rules.Identify{Conn: c, Token: b.cluster.Token().Reveal(), Shard: g.shard.ID(), ShardCount: g.shard.Count()}
			})
			p.Sent()
		case <-beat:
			if !g.acked { // a zombie connection
				leave(4000)
				return false, false
			}
			g.acked = false
			g.send(func(c rules.Conn) rules.Input { return rules.Heartbeat{Conn: c} })
			beat = time.After(g.every)
		case <-g.shard.Reconnect():
			leave(4000)
			return false, false
		case <-b.cluster.Stopping():
			if b.cluster.Stop().Final {
				leave(1000)
			} else {
				leave(4000)
			}
			return false, true
		case <-ctx.Done():
			leave(4000)
			return false, true
		}
	}
}

// heard handles one output of Discord and reports it to the SDK.
func (g *realGateway) heard(o rules.Output) {
	switch o := o.(type) {
	case rules.Hello, rules.Ack:
		g.acked = true
	case rules.Ready:
		g.ready = true
		g.shard.SetSession(messages.Session{SessionID: o.SessionID, Seq: o.Seq, ResumeGatewayURL: "wss://resume"})
		g.shard.State(messages.ShardReady, 0)
	case rules.Resumed:
		g.ready = true
		g.moved(o.Seq)
		g.shard.State(messages.ShardReady, 0)
	case rules.Event:
		g.moved(o.Seq)
	case rules.InvalidSession:
		if !o.Resumable {
			g.shard.SessionGone()
		}
	case rules.Close:
		g.shard.State(messages.ShardDisconnected, o.Code)
		if rules.EndsSession(o.Code) {
			g.shard.SessionGone()
		}
	}
}

// begin resumes a session, or asks for a permit without one.
func (g *realGateway) begin(ctx context.Context, permits chan<- *sdk.Permit) {
	if session := g.shard.Session(); session != nil {
		g.shard.State(messages.ShardResuming, 0)
		g.send(func(c rules.Conn) rules.Input {
			return rules.Resume{Conn: c, Token: g.bot.cluster.Token().Reveal(), SessionID: session.SessionID, Seq: session.Seq}
		})
		return
	}
	g.shard.State(messages.ShardWaitingPermit, 0)
	go func() {
		p, err := g.shard.Permit(ctx, g.cause)
		if err != nil {
			return
		}
		select {
		case permits <- p:
		case <-ctx.Done():
			p.Unused()
		}
	}()
}

// moved records an event that was handled.
func (g *realGateway) moved(seq int64) {
	if session := g.shard.Session(); session != nil {
		session.Seq = seq
		g.shard.SetSession(*session)
	}
}
