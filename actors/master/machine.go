package master

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	codec "github.com/discluster/control/transport/master"
)

// Machine is one linked CONTROL: it reads its packets, answers its heartbeats and tells the fleet how it stands.
//
//	greeting ──initialise sent──▶ linked ──closed, or silent for interval + 15 s──▶ (gone)
type Machine struct {
	world.States
	source   string
	link     transport.Link
	fleet    *actor.PID
	governor *actor.PID
	place    messages.Place
	interval time.Duration
	beats    bool // it announced heartbeats
	ranges   []messages.RangeInfo
	counted  counted // told last
	dropped  int     // packets that could not be read
}

// deadAfter is how much longer than its interval a CONTROL may be silent (seed).
const deadAfter = 15 * time.Second

// What a machine's link tells it.
type (
	frameCame struct{ frame []byte }
	linkEnded struct{ err error }
)

func (frameCame) IgnoreDeadLetterLogging() {}
func (linkEnded) IgnoreDeadLetterLogging() {}

// What the fleet tells a machine, beside packets to send.
type (
	// close ends the link with a code.
	closeWith struct {
		code   int
		reason string
	}
	// seated is the machine's place in the fleet.
	seated struct{ place messages.Place }
)

// What a machine tells the fleet.
type (
	// informed: the CONTROL said what it is.
	informed struct {
		source string
		link   transport.Link
		info   messages.Info
	}
	// stands: the CONTROL serves these ranges now.
	stands struct {
		source string
		link   transport.Link
		ranges []messages.RangeInfo
	}
	// parted: the link is gone.
	parted struct {
		source string
		link   transport.Link
		err    error
	}
	// said is an error or a fatal packet of the CONTROL.
	said struct{ event messages.MachineSaid }
	// fatal: a close code that no restart cures.
	fatal struct {
		source string
		packet messages.Fatal
	}
)

func newMachine(w *world.World, name, source string, link transport.Link, fleet, governor *actor.PID, interval time.Duration) *actor.Props {
	return w.Spawn(name, func() actor.Actor {
		m := &Machine{source: source, link: link, fleet: fleet, governor: governor, interval: interval}
		m.Begin(w, w.Log.With().Str("actor", "machine").Str("source", source).Logger(), "greeting", m.greeting)
		return m
	})
}

// greeting waits until the fleet knows what to say; the CONTROL may close meanwhile.
func (m *Machine) greeting(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		send := world.Sender(ctx)
		m.link.Receive(func(b []byte) { send(frameCame{b}) }, func(err error) { send(linkEnded{err}) })
	case messages.Initialise:
		m.send(msg)
		m.Enter("linked", m.linked)
	default:
		m.always(ctx)
	}
}

func (m *Machine) linked(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case world.Timeout:
		switch late := time.Since(msg.Due); {
		case !m.Expired(msg):
		case late > m.interval: // we slept, not the CONTROL
			m.In(ctx, m.interval+deadAfter)
		default:
			why := fmt.Sprintf("no heartbeat for %v", m.interval+deadAfter)
			m.link.Close(messages.CloseDead, why)
			m.gone(ctx, errors.New(why))
		}
	case messages.Initialise: // the fleet's settings changed
		m.send(msg)
	default:
		m.always(ctx)
	}
}

// over is what is left of a machine whose link is gone.
func (m *Machine) over(ctx actor.Context) {}

// always is what both states do with what they do not name.
func (m *Machine) always(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case frameCame:
		m.link.Took()
		m.frame(ctx, msg.frame)
	case linkEnded:
		m.gone(ctx, msg.err)
	case closeWith:
		m.link.Close(msg.code, msg.reason)
		m.gone(ctx, errors.New(msg.reason))
	case seated:
		m.place = msg.place
	case messages.FromMaster:
		m.send(msg)
	case *actor.Stopping, *actor.Restarting:
		m.link.Close(0, "master stops")
	default:
		m.Unexpected(ctx)
	}
}

// gone tells the fleet that the link is no more, once; the fleet then ends this actor.
func (m *Machine) gone(ctx actor.Context, err error) {
	m.Enter("over", m.over)
	ctx.Send(m.governor, left{m.source})
	ctx.Request(m.fleet, parted{m.source, m.link, err})
}

// frame reads one packet. What cannot be read is answered as upstream does, and said once a link.
func (m *Machine) frame(ctx actor.Context, frame []byte) {
	p, err := codec.DecodeFromControl(frame)
	if err != nil {
		m.send(messages.MasterError{Code: messages.CodeMalformed, Message: fmt.Sprintf("%.300s", err.Error())})
		if m.dropped++; m.dropped == 1 {
			m.W.LogEvent(messages.PacketDropped{From: "CONTROL " + m.source, Err: err.Error()})
		}
		return
	}
	switch p := p.(type) {
	case messages.Info:
		m.beats = m.beats || slices.Contains(p.Features, messages.FeatureHeartbeat)
		m.alive(ctx)
		m.ranges = p.Ranges
		ctx.Send(m.governor, used{p.LastIdentify})
		ctx.Send(m.fleet, informed{m.source, m.link, p})
	case messages.Heartbeat:
		m.alive(ctx)
		now, place := messages.At(time.Now()), m.place
		m.send(messages.HeartbeatAck{Seq: p.Seq, Now: &now, Machine: &place})
		if c := (counted{m.source, m.link, p.Clusters, p.ShardsReady}); c != m.counted {
			m.counted = c
			ctx.Send(m.fleet, c)
		}
		if !slices.Equal(m.ranges, p.Ranges) {
			m.ranges = p.Ranges
			ctx.Send(m.fleet, stands{m.source, m.link, p.Ranges})
		}
	case messages.PermitRequest:
		ctx.Request(m.governor, wish{m.source, p})
	case messages.PermitReport:
		ctx.Send(m.governor, report{m.source, p})
	case messages.MasterError:
		ctx.Send(m.fleet, said{messages.MachineSaid{Source: m.source, Kind: p.Kind, CloseCode: p.Code, Shards: shards(p.Shards), Err: p.Message}})
	case messages.Fatal:
		ctx.Send(m.fleet, fatal{m.source, p})
	case messages.Ack, messages.SessionsMoved: // what follows from them is in Info
	}
}

// alive takes a sign of life: the next one is owed within the interval and 15 s.
func (m *Machine) alive(ctx actor.Context) {
	if m.beats && m.State() == "linked" {
		m.In(ctx, m.interval+deadAfter)
	}
}

func (m *Machine) send(p messages.FromMaster) {
	frame, err := codec.EncodeFromMaster(p)
	if err != nil {
		panic(err) // a packet of our own making
	}
	if err := m.link.Send(frame); err != nil {
		m.Log.Debug().Err(err).Msg("packet not sent") // the link's end follows
	}
}

func shards(r *messages.ShardRange) string {
	if r == nil {
		return ""
	}
	return r.String()
}
