package sim

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/transport/discord/guilds"
	"github.com/discluster/control/transport/discord/rules"
)

// DiscordPlace is the name of Discord's place in the net, for Cut and latencies.
const DiscordPlace = "discord"

// Discord runs Discord's rules behind the net: every input and output has a latency of its own, in
// order on each connection.
type Discord struct {
	Rules *rules.Discord
	Heard func(from string, in rules.Input) // gets every input of a client that reached Discord; may be nil
	// Stepped is called after every step of Discord; nil: never.
	Stepped func(in rules.Input, out []rules.Output)
	Shape   guilds.Shape // of every guild, for guests

	guilds int
	loop   *Loop
	net    *Net
	conns  map[rules.Conn]*Gateway
	next   rules.Conn
	tick   func() // cancels the scheduled tick
}

// Gateway is a client's end of one gateway connection.
type Gateway struct {
	d      *Discord
	id     rules.Conn
	from   string
	out    func(rules.Output)
	there  time.Time // arrival of the last frame at Discord
	here   time.Time // and at the client
	closed bool
	broken bool // a frame met a cut
}

// NewDiscord adds rules with the given configuration to the net.
func NewDiscord(l *Loop, n *Net, c rules.Config) *Discord {
	return &Discord{Rules: rules.New(c, time.Now()), guilds: c.Guilds, loop: l, net: n, conns: map[rules.Conn]*Gateway{}}
}

// Open opens a gateway connection from a place. out gets Discord's output, and a Close at the end
// unless the client closed it.
func (d *Discord) Open(from string, out func(rules.Output)) *Gateway {
	d.next++
	g := &Gateway{d: d, id: d.next, from: from, out: out}
	d.conns[g.id] = g
	g.send(rules.Opened{Conn: g.id})
	return g
}

// Send passes one input to Discord; from gets its connection.
func (g *Gateway) Send(from func(rules.Conn) rules.Input) { g.send(from(g.id)) }

// Close closes the connection from the client's side.
func (g *Gateway) Close(code int) {
	if !g.closed {
		g.closed = true
		g.send(rules.Closed{Conn: g.id, Code: code})
	}
}

func (g *Gateway) send(in rules.Input) {
	g.there = g.d.arrival(g.there, g.from)
	g.d.loop.After(time.Until(g.there), func() {
		if !g.lost() {
			if g.d.Heard != nil {
				g.d.Heard(g.from, in)
			}
			g.d.Step(in)
		}
	})
}

// lost reports whether a frame that would arrive now is lost: there is a cut, or one broke the
// connection, which both ends notice a little later. The frame is not sent again after the cut, as
// Net's links do: a late IDENTIFY would be too early for the next one, which no pacing could
// prevent.
func (g *Gateway) lost() bool {
	if g.broken || !g.d.net.isCut(g.from, DiscordPlace) {
		return g.broken
	}
	g.broken = true
	g.d.loop.After(deadAfter, func() {
		g.d.Step(rules.Closed{Conn: g.id, Code: rules.CloseVanished})
		delete(g.d.conns, g.id)
		if !g.closed {
			g.closed = true
			g.out(rules.Close{Conn: g.id, Code: rules.CloseVanished, Reason: "no sign of life for 10s"})
		}
	})
	return true
}

// arrival returns when a frame sent now arrives, not before the previous one.
func (d *Discord) arrival(last time.Time, place string) time.Time {
	at := time.Now().Add(d.net.delay(place, DiscordPlace))
	if at.Before(last) {
		return last
	}
	return at
}

// Chance returns a random number below n, for a bot's choices.
func (d *Discord) Chance(n int) int { return d.loop.rand.IntN(n) }

// Live reports whether the client's end of a connection exists: a dead process has none, though
// Discord may not know.
func (d *Discord) Live(c rules.Conn) bool {
	g := d.conns[c]
	return g != nil && !g.closed
}

// Step applies an input or a fault directly to Discord.
func (d *Discord) Step(in rules.Input) {
	all := d.Rules.Step(time.Now(), in)
	if d.Stepped != nil {
		d.Stepped(in, all)
	}
	for _, out := range all {
		g := d.conns[out.To()]
		if g == nil {
			continue
		}
		if _, last := out.(rules.Close); last {
			delete(d.conns, g.id)
		}
		g.here = d.arrival(g.here, g.from)
		d.loop.After(time.Until(g.here), func() {
			if !g.lost() && !g.closed {
				_, g.closed = out.(rules.Close)
				g.out(out)
			}
		})
	}
	if d.tick != nil {
		d.tick()
		d.tick = nil
	}
	if at, due := d.Rules.Next(); due {
		d.tick = d.loop.After(time.Until(at), func() { d.Step(rules.Tick{}) })
	}
}

// HTTP answers GET /gateway/bot, for Host.HTTP.
func (d *Discord) HTTP(r world.Request) (world.Response, error) {
	if !strings.HasSuffix(r.URL, "/gateway/bot") {
		return world.Response{Status: http.StatusNotFound}, nil
	}
	answer, status := d.Rules.GatewayBot(time.Now(), strings.TrimPrefix(r.Header["Authorization"], "Bot "))
	answer.URL = "wss://gateway.discord.gg"
	body, err := json.Marshal(answer)
	return world.Response{Status: status, Body: body}, err
}
