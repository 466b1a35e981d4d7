package master

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/master/fleet"
	"github.com/discluster/control/actors/plan"
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
	addresses
	source   string
	number   int // of the link
	link     transport.Link
	place    *messages.Place // as it was told last
	interval time.Duration
	beats    bool // it announced heartbeats
	informs  bool // it says by info what it serves
	ranges   []messages.RangeInfo
	counted  fleet.Counted // sent last
	dropped  int           // packets that could not be read
	peer     plan.Quota    // of what the CONTROL has reported
	frames   plan.Share    // of MASTER
	transit  plan.Transit
	share    *messages.Share // of the day's budget; nil: it was lent none
}

// addresses is the addresses that a machine talks to.
type addresses struct{ fleet, governor, sessions *actor.PID }

// deadAfter is how much longer than its interval a CONTROL may be silent (seed).
const deadAfter = 15 * time.Second

// What a machine's link tells it.
type (
	frameCame struct{ frame []byte }
	linkEnded struct{ err error }
)

func (frameCame) IgnoreDeadLetterLogging() {}
func (linkEnded) IgnoreDeadLetterLogging() {}

// What the others tell a machine.
type (
	// greet: what the fleet is, to be sent.
	greet struct{ initialise messages.Initialise }
	// deliver: a packet to be sent.
	deliver struct{ packet messages.FromMaster }
	// closeWith ends the link with a code.
	closeWith struct {
		code   int
		reason string
	}
)

// The machine may have parted a moment before.
func (greet) IgnoreDeadLetterLogging()     {}
func (deliver) IgnoreDeadLetterLogging()   {}
func (closeWith) IgnoreDeadLetterLogging() {}

func newMachine(w *world.World, name, source string, number int, link transport.Link, h addresses, interval time.Duration) *actor.Props {
	return w.Spawn(name, func() actor.Actor {
		m := &Machine{addresses: h, source: source, number: number, link: link, interval: interval, peer: plan.Peer(), frames: framesOfOne}
		m.Begin(w, w.Log.With().Str("actor", "machine").Str("source", source).Logger(), "greeting", m.greeting)
		return m
	})
}

// greeting waits until the fleet knows what to say; the CONTROL may close meanwhile.
func (m *Machine) greeting(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		send := world.Sender(ctx)
		m.link.Receive(func(b []byte) { send(frameCame{bytes.Clone(b)}) }, func(err error) { send(linkEnded{err}) })
	case greet:
		m.tell(msg.initialise)
		m.Enter("linked", m.linked)
	default:
		m.always(ctx)
	}
}

func (m *Machine) linked(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case world.Timeout:
		switch late := time.Since(msg.Due); {
		case late > m.interval: // we slept, not the CONTROL
			m.In(ctx, m.interval+deadAfter)
		default:
			why := fmt.Sprintf("no heartbeat for %v", m.interval+deadAfter)
			m.link.Close(messages.CloseDead, why)
			m.gone(ctx, errors.New(why))
		}
	case greet: // the fleet's settings changed, or this machine's slots
		m.tell(msg.initialise)
	case world.Recovered: // a heartbeat may be what was lost
		m.alive(ctx)
	default:
		m.always(ctx)
	}
}

// tell sends what the fleet is.
func (m *Machine) tell(i messages.Initialise) {
	m.place = i.Machine
	m.send(i)
}

// over is what is left of a machine whose link is gone.
func (m *Machine) over(ctx actor.Context) {}

// always is what both states do with what they do not name.
func (m *Machine) always(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case frameCame:
		m.took(ctx)
		m.frame(ctx, msg.frame)
	case tookDue:
		m.took(ctx)
	case linkEnded:
		m.gone(ctx, msg.err)
	case closeWith:
		m.link.Close(msg.code, msg.reason)
		m.gone(ctx, errors.New(msg.reason))
	case deliver:
		m.send(msg.packet)
	case lent:
		m.share = &msg.share
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
	p := fleet.Parted{Source: m.source, Link: m.number, Err: err.Error()}
	var closed *transport.CloseError
	if errors.As(err, &closed) {
		p.Code = closed.Code
	}
	ctx.Send(m.fleet, p)
}

// frame reads one packet. What cannot be read is answered as upstream does, and said once a link.
func (m *Machine) frame(ctx actor.Context, frame []byte) {
	p, err := codec.DecodeFromControl(frame)
	if err != nil {
		m.send(messages.MasterError{Code: messages.CodeMalformed, Message: fmt.Sprintf("%.300s", err.Error())})
		if m.dropped++; m.dropped == 1 {
			ctx.Send(m.fleet, said{messages.PacketDropped{From: "CONTROL " + m.source, Err: err.Error()}})
		}
		return
	}
	switch p := p.(type) {
	case messages.Info:
		m.beats = m.beats || slices.Contains(p.Features, messages.FeatureHeartbeat)
		m.alive(ctx)
		m.ranges, m.informs = p.Ranges, true
		ctx.Send(m.governor, m.used(p))
		ctx.Send(m.fleet, fleet.Informed{Source: m.source, Link: m.number, Info: p})
	case messages.Heartbeat:
		m.alive(ctx)
		m.send(messages.HeartbeatAck{Seq: p.Seq, Now: new(m.W.AtSteady(time.Now())), Machine: m.place, Share: m.share})
		if p.Share != nil {
			ctx.Send(m.governor, hasLeft{m.source, ctx.Self(), *p.Share, shardsOf(p.Ranges)})
		} else {
			ctx.Send(m.governor, hasNone{m.source})
		}
		if c := (fleet.Counted{Source: m.source, Link: m.number, Clusters: p.Clusters, Ready: p.ShardsReady}); c != m.counted {
			m.counted = c
			ctx.Send(m.fleet, c)
		}
		if !slices.Equal(m.ranges, p.Ranges) {
			m.ranges = p.Ranges
			ctx.Send(m.fleet, fleet.Serves{Source: m.source, Link: m.number, Ranges: p.Ranges})
		}
	case messages.PermitRequest:
		m.sent(p.Now)
		if !m.informs { // who knows what it has
			ctx.Send(m.governor, used{source: m.source, inherited: true})
		}
		ctx.Request(m.governor, wish{m.source, p})
	case messages.PermitReport:
		ctx.Send(m.governor, report{m.source, p, m.sent(p.Now)})
	case messages.MasterError:
		if times := m.told(); times > 0 {
			ctx.Send(m.fleet, said{messages.MachineReported{Source: m.source, Kind: p.Kind, CloseCode: p.Code, Shards: shards(p.Shards), Err: p.Message, Times: plan.Times(times)}})
		}
	case messages.Fatal:
		ctx.Send(m.fleet, fleet.Fatal{Source: m.source, Packet: p, Times: m.told()})
	case messages.SessionsMoved:
		ctx.Send(m.sessions, moved{m.source, p})
	case messages.Ack:
		m.acked(ctx, p)
	}
}

// framesOfOne is the share that one CONTROL has of MASTER: at once, the wishes of all shards of the
// largest machine. Beyond it its link is read no faster than that, and its own packets wait.
var framesOfOne = plan.Share{Burst: 20_000, PerSecond: 5_000}

// tookDue is the time to read on.
type tookDue struct{}

// IgnoreDeadLetterLogging: it may come after the machine has parted.
func (tookDue) IgnoreDeadLetterLogging() {}

// took makes room for the next frame, as the machine's share allows.
func (m *Machine) took(ctx actor.Context) {
	if now := time.Now(); !m.frames.Take(now) {
		m.After(ctx, m.frames.Wait(now), tookDue{})
		return
	}
	m.link.Ack()
}

// told returns how many errors of the CONTROL the next event stands for; 0: there is none, for a
// CONTROL may err without end.
func (m *Machine) told() int {
	times, _ := m.peer.Pass(time.Now())
	return times
}

// used is when the machine's buckets were used last, by our clock: never sooner than it was, where the machine says its own. It has what an earlier life of ours gave it where it has anything, and was given nothing in this one.
func (m *Machine) used(p messages.Info) used {
	u := used{source: m.source, most: plan.HoldFor, last: map[int]time.Time{}, informs: true, beats: m.beats, inherited: m.place == nil && (p.Machine.Of > 0 || len(p.Ranges) > 0 || len(p.LastIdentify) > 0)}
	now := time.Now()
	if p.Now != nil {
		u.most = plan.HoldMost
	}
	for bucket, at := range p.LastIdentify {
		u.last[bucket] = m.W.FromWall(at)
		if p.Now != nil {
			u.last[bucket] = now.Add(m.W.FromSteady(at).Sub(m.W.FromSteady(*p.Now)))
		}
	}
	return u
}

// sent is the latest that a packet with this time of CONTROL's clock, if any, can have been sent.
func (m *Machine) sent(at *messages.UnixMillis) time.Time {
	now := time.Now()
	if at == nil {
		return now
	}
	return now.Add(-m.transit.Delay(m.W.FromSteady(*at), now))
}

// acked is the answer to an order. What follows from most of them is in Info, where there is one.
func (m *Machine) acked(ctx actor.Context, p messages.Ack) {
	switch {
	case p.OK != nil || p.Progress != "":
		p.Error, p.Progress = m.W.Secrets.Text(p.Error), m.W.Secrets.Text(p.Progress)
		ctx.Send(m.fleet, fleet.Acked{Source: m.source, Link: m.number, Ack: p})
	case p.State == string(messages.RangeReleased) && p.Range != nil:
		ctx.Send(m.sessions, moved{m.source, messages.SessionsMoved{Sessions: p.Sessions}}) // before anybody is given the range
		ctx.Send(m.fleet, fleet.Released{Source: m.source, Link: m.number, Shards: *p.Range})
	case !m.informs && p.Range != nil && (p.State == string(messages.RangeConnecting) || p.State == string(messages.RangeOperational)):
		m.ranges = slices.DeleteFunc(slices.Clone(m.ranges), func(r messages.RangeInfo) bool { return r.Range.Overlaps(*p.Range) })
		m.ranges = append(m.ranges, messages.RangeInfo{Range: *p.Range, State: messages.RangeState(p.State)})
		ctx.Send(m.fleet, fleet.Serves{Source: m.source, Link: m.number, Ranges: m.ranges})
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

func shardsOf(ranges []messages.RangeInfo) (n int) {
	for _, r := range ranges {
		n += r.Range.Len()
	}
	return n
}
