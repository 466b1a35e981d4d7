package fakecluster

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/ipc"
)

// Stock is a stock Discordoo (v0.11 or later) with every quirk of PROTOCOL A1–A4, and options for
// its author's part. The zero value, with Discord set, is a common bot.
type Stock struct {
	Discord *sim.Discord
	Up      func(shard int, up bool) // as SDK.Up

	Boot       time.Duration // from exec to the open socket
	Catches    bool          // the author catches the error of start(): the instance idles forever
	Refused    bool          // REST refuses the token
	Deaf       bool          // Discord never sends READY to its shards, and no error
	DieAfter   time.Duration // it ends with exit 1 this long after its start; 0: never
	ShoutAfter time.Duration // it sends a frame over the size limit at this time, once; 0: never
	Old        bool          // v0.10 or before, with the older numbering
	Speaks     func(Voice)   // called after HELLO
	// Called for every operation; false: it is answered as usual.
	Hears func(v Voice, op messages.Operation) bool
}

// Figures of a stock Discordoo (PROTOCOL A3).
const (
	stockPace   = 15 * time.Second // between its shards
	stockPrefix = "/tmp/ddoo"
	stockExit   = 80 * time.Millisecond
)

// stock is one run of a Stock.
type stock struct {
	Stock
	*bot
	greeted bool // HELLO of the manager came
}

// Program runs the bot as a process of a host.
func (s Stock) Program(p *sim.Proc) {
	b := &stock{Stock: s, bot: newBot(SDK{Discord: s.Discord, Up: s.Up, NoSessions: true, Hears: s.Hears}, p)}
	b.silent = true
	b.shardStates = b.shardMoved
	b.fatal = b.failed
	p.OnSignal = func(sig syscall.Signal) { p.Exit(128+int(sig), "") }
	p.OnEnd = b.gone
	if s.DieAfter > 0 {
		p.After(s.DieAfter, func() { p.Exit(1, "Error: scripted exit\n") })
	}
	if s.ShoutAfter > 0 {
		p.After(s.ShoutAfter, func() { _ = b.link.Send(make([]byte, 8<<20+1)) })
	}
	p.After(s.Boot, b.listen)
}

func (b *stock) listen() {
	_, err := b.p.Listen(stockPrefix+string(b.snowflake), func(l transport.Link) {
		l.Receive(func(frame []byte) { b.p.Do(func() { l.Ack(); b.packet(l, frame) }) }, func(error) {})
	})
	if err != nil {
		panic(err) // two processes with one socket
	}
	b.p.After(patient, func() {
		if !b.greeted {
			b.p.Exit(1, "DiscordooError: no HELLO\n")
		}
	})
}

// packet handles a frame as Discordoo does. A frame that would crash it is a bug of CONTROL.
func (b *stock) packet(l transport.Link, frame []byte) {
	m, err := ipc.DecodeFromManager(frame)
	if err != nil {
		panic(err) // CONTROL never sends an unreadable packet
	}
	switch m := m.(type) {
	case messages.Hello:
		b.hello(l, m)
	case messages.Destroying:
		for _, s := range b.shards {
			s.close(1000)
		}
		b.send(messages.Destroying{EventID: m.EventID})
		b.p.After(13*time.Millisecond, func() { b.p.Exit(0, "") })
	case messages.Operation:
		if !b.greeted || m.Op == messages.IPCCacheOperate && m.Data == nil || m.Data == nil && (m.T == "MESSAGE" || m.T == "PRESENCE_UPDATE") {
			b.p.Exit(1, "TypeError: Cannot read properties of undefined\n")
			return
		}
		b.operation(m)
	}
}

// hello makes the sender's socket the manager's. Only the shards of the first HELLO count; every
// HELLO is answered.
func (b *stock) hello(l transport.Link, m messages.Hello) {
	switch {
	case b.Old: // op 2 was HEARTBEAT, and was answered with another
		b.link = l
		_ = l.Send([]byte(fmt.Sprintf(`{"type":"__DDOO__.MESSAGE","data":{"op":2,"d":{"id":%q,"event_id":%q}}}`, b.snowflake, m.EventID)))
		return
	case m.ID != b.manager:
		b.link = l
		b.send(messages.InvalidSession{ID: b.snowflake})
		return
	}
	b.link = l
	b.send(messages.Identify{ID: b.snowflake, EventID: m.EventID})
	if b.greeted {
		return
	}
	b.greeted = true
	if b.Speaks != nil {
		b.Speaks(Voice{b.bot})
	}
	if b.Refused {
		b.fail("ValidationError", "[GatewayManager] Invalid token provided")
		return
	}
	b.count, b.mine = m.TotalShards, len(m.Shards)
	for i, id := range m.Shards {
		s := &shard{bot: b.bot, id: id}
		b.shards = append(b.shards, s)
		if !b.Deaf {
			b.p.After(time.Duration(i)*stockPace, s.connect)
		}
	}
}

// shardMoved sends CONNECTED once, when every shard has been READY, and nothing after that.
func (b *stock) shardMoved() {
	if !b.connected && b.allReady() {
		b.connected = true
		b.send(messages.Connected{EventID: b.snowflake})
	}
}

// failed handles a fatal close code: before CONNECTED its text is reported, after it the process
// just ends.
func (b *stock) failed(s *shard, code int, reason string) {
	if b.connected {
		b.p.Exit(1, fmt.Sprintf("Error: shard %d: %d\n", s.id, code))
		return
	}
	b.fail("DiscordooError", fmt.Sprintf("[WebSocketManager] Shard %d can not be connected because it received close code %d with reason %s", s.id, code, reason))
}

func (b *stock) fail(name, message string) {
	message += b.p.Indiscreet()
	b.send(messages.Failure{EventID: b.snowflake, Error: messages.FailureError{Name: name, Message: message, Stack: name + ": " + message}})
	if !b.Catches {
		b.p.After(stockExit, func() { b.p.Exit(1, strings.ToLower(name)+"\n") })
	}
}
