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

// Machine is one linked CONTROL: it reads its packets, answers its heartbeats and reports its state
// to the fleet.
//
//	greeting ──initialise sent──▶ linked ──closed, or silent for interval + 15 s──▶ (gone)
type Machine struct {
	world.States
	addresses
	source   string
	number   int // of the link
	link     transport.Link
	place    *messages.Place // sent last
	interval time.Duration
	beats    bool // it announced heartbeats
	informs  bool // it reports by info what it serves
	ranges   []messages.RangeInfo
	counted  fleet.Counted // sent last
	dropped  int           // packets that could not be read
	peer     plan.Quota    // of the CONTROL's reports
	frames   plan.Limiter  // of frames that MASTER reads
	transit  plan.Transit
	share    *messages.BudgetShare // of the day's budget; nil: it was lent none
}

// addresses are the actors that a machine sends to.
type addresses struct{ fleet, governor, sessions *actor.PID }

// Messages from a machine's link.
type (
	frameCame struct {
		messages.MayBeLost
		frame []byte
	}
	linkEnded struct {
		messages.MayBeLost
		err error
	}
)

// Messages from MASTER's other actors.
type (
	// greet holds the fleet's settings for the CONTROL.
	greet struct {
		messages.MayBeLost
		initialise messages.Initialise
	}
	// deliver holds a packet for the CONTROL.
	deliver struct {
		messages.MayBeLost
		packet messages.FromMaster
	}
	// closeWith ends the link with a code.
	closeWith struct {
		messages.MayBeLost
		code   int
		reason string
	}
)

func newMachine(w *world.World, name, source string, number int, link transport.Link, a addresses, interval time.Duration) *actor.Props {
	return w.Spawn(name, func() actor.Actor {
		m := &Machine{addresses: a, source: source, number: number, link: link, interval: interval, peer: plan.Peer(), frames: framesPerMachine}
		m.Begin(w, w.Log.With().Str("actor", "machine").Str("source", source).Logger(), "greeting", m.greeting)
		return m
	})
}

// greeting waits for the fleet's settings; the CONTROL may close before they are known.
func (m *Machine) greeting(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		send := world.Sender(ctx)
		m.link.Receive(func(b []byte) { send(frameCame{frame: bytes.Clone(b)}) }, func(err error) { send(linkEnded{err: err}) })
	case greet:
		m.sendSettings(msg.initialise)
		m.Enter("linked", m.linked)
	default:
		m.always(ctx)
	}
}

func (m *Machine) linked(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case world.Timeout:
		switch late := time.Since(msg.Due); {
		case late > m.interval: // MASTER was suspended, not the CONTROL
			m.In(ctx, m.interval+messages.DeadAfter)
		default:
			why := fmt.Sprintf("no heartbeat for %v", m.interval+messages.DeadAfter)
			m.link.Close(messages.CloseDead, why)
			m.gone(ctx, errors.New(why))
		}
	case greet: // the fleet's settings changed, or this machine's slots
		m.sendSettings(msg.initialise)
	case world.Recovered: // a heartbeat may be what was lost
		m.alive(ctx)
	default:
		m.always(ctx)
	}
}

// sendSettings sends the fleet's settings.
func (m *Machine) sendSettings(i messages.Initialise) {
	m.place = i.Machine
	m.send(i)
}

// terminal ignores every message: the link is gone.
func (m *Machine) terminal(ctx actor.Context) {}

// always handles in both states what they do not name.
func (m *Machine) always(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case frameCame:
		m.readOn(ctx)
		m.frame(ctx, msg.frame)
	case readOnDue:
		m.readOn(ctx)
	case linkEnded:
		m.gone(ctx, msg.err)
	case closeWith:
		m.link.Close(msg.code, msg.reason)
		m.gone(ctx, errors.New(msg.reason))
	case deliver:
		m.send(msg.packet)
	case shareLent:
		m.share = &msg.share
	case *actor.Stopping, *actor.Restarting:
		m.link.Close(0, "master stops")
	default:
		m.Unexpected(ctx)
	}
}

// gone reports the end of the link to the fleet, once; the fleet then ends this actor.
func (m *Machine) gone(ctx actor.Context, err error) {
	m.Enter("over", m.terminal)
	ctx.Send(m.governor, machineGone{source: m.source})
	ctx.Send(m.sessions, carries{source: m.source, machine: ctx.Self(), gone: true})
	p := fleet.Parted{Source: m.source, Link: m.number, Err: err.Error()}
	var closed *transport.CloseError
	if errors.As(err, &closed) {
		p.Code = closed.Code
	}
	ctx.Send(m.fleet, p)
}

// frame reads one packet. An unreadable one is answered as upstream does, and reported once a link.
func (m *Machine) frame(ctx actor.Context, frame []byte) {
	p, err := codec.DecodeFromControl(frame)
	if err != nil {
		m.send(messages.MasterError{Code: messages.CodeMalformed, Message: fmt.Sprintf("%.300s", err.Error())})
		if m.dropped++; m.dropped == 1 {
			ctx.Send(m.fleet, raised{messages.PacketDropped{From: "CONTROL " + m.source, Err: err.Error()}})
		}
		return
	}
	switch p := p.(type) {
	case messages.Info:
		m.beats = m.beats || slices.Contains(p.Features, messages.FeatureHeartbeat)
		m.alive(ctx)
		m.ranges, m.informs = p.Ranges, true
		if slices.Contains(p.Features, messages.FeatureSnapshots) {
			ctx.Send(m.sessions, carries{source: m.source, machine: ctx.Self()})
		}
		ctx.Send(m.governor, m.used(p))
		ctx.Send(m.fleet, fleet.Informed{Source: m.source, Link: m.number, Info: p})
	case messages.Heartbeat:
		m.heartbeat(ctx, p)
	case messages.PermitRequest:
		m.sentAt(p.Now)
		if !m.informs { // it knows what it has
			ctx.Send(m.governor, bucketsUsed{source: m.source, inherited: true})
		}
		ctx.Request(m.governor, permitRequest{m.source, p})
	case messages.PermitReport:
		ctx.Send(m.governor, report{m.source, p, m.sentAt(p.Now)})
	case messages.MasterError:
		if times := m.times(); times > 0 {
			ctx.Send(m.fleet, raised{messages.MachineReported{Source: m.source, Kind: p.Kind, CloseCode: p.Code, Shards: rangeText(p.Shards), Err: p.Message, Times: plan.Times(times)}})
		}
	case messages.Fatal:
		ctx.Send(m.fleet, fleet.Fatal{Source: m.source, Packet: p, Times: m.times()})
	case messages.SessionsMoved:
		ctx.Send(m.sessions, moved{m.source, p})
	case messages.SnapshotAsk:
		ctx.Send(m.sessions, snapshotAsked{machine: ctx.Self(), packet: p})
	case messages.SnapshotPart:
		p.Error = m.W.Secrets.Text(p.Error)
		ctx.Send(m.sessions, snapshotCame{machine: ctx.Self(), packet: p})
	case messages.Ack:
		m.acked(ctx, p)
	}
}

// heartbeat acknowledges a heartbeat and passes on what changed since the last one.
func (m *Machine) heartbeat(ctx actor.Context, p messages.Heartbeat) {
	m.alive(ctx)
	m.send(messages.HeartbeatAck{Seq: p.Seq, Now: new(m.W.AtSteady(time.Now())), Machine: m.place, Share: m.share})
	if p.Share != nil {
		ctx.Send(m.governor, shareReported{source: m.source, machine: ctx.Self(), share: *p.Share, shards: shardsOf(p.Ranges)})
	} else {
		ctx.Send(m.governor, noShare{source: m.source})
	}
	if c := (fleet.Counted{Source: m.source, Link: m.number, Clusters: p.Clusters, Ready: p.ShardsReady}); c != m.counted {
		m.counted = c
		ctx.Send(m.fleet, c)
	}
	if !slices.Equal(m.ranges, p.Ranges) {
		m.ranges = p.Ranges
		ctx.Send(m.fleet, fleet.Serves{Source: m.source, Link: m.number, Ranges: p.Ranges})
	}
}

// framesPerMachine limits how fast MASTER reads the packets of one CONTROL. The burst has room for
// the requests of all shards of the largest machine; packets beyond it wait in the link.
var framesPerMachine = plan.Limiter{Burst: 20_000, PerSecond: 5_000}

// readOnDue is the timer of readOn.
type readOnDue struct{ messages.MayBeLost }

// readOn lets the link deliver the next frame, at once or when the limit allows it.
func (m *Machine) readOn(ctx actor.Context) {
	if now := time.Now(); !m.frames.Take(now) {
		m.After(ctx, m.frames.Wait(now), readOnDue{})
		return
	}
	m.link.Ack()
}

// times returns how many errors of the CONTROL the next event covers. 0: raise none; a CONTROL may
// send errors without end.
func (m *Machine) times() int {
	times, _ := m.peer.Pass(time.Now())
	return times
}

// used returns when the machine's buckets were used last, by MASTER's clock, and never too early if
// the machine reports its own clock. It is inherited if the machine has anything although it was
// assigned nothing in this run.
func (m *Machine) used(p messages.Info) bucketsUsed {
	u := bucketsUsed{source: m.source, most: plan.HoldFor, last: map[int]time.Time{}, informs: true, beats: m.beats, inherited: m.place == nil && (p.Machine.Of > 0 || len(p.Ranges) > 0 || len(p.LastIdentify) > 0)}
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

// sentAt returns the latest moment at which a packet with this time of CONTROL's clock can have
// been sent; nil: it has none.
func (m *Machine) sentAt(at *messages.UnixMillis) time.Time {
	now := time.Now()
	if at == nil {
		return now
	}
	return now.Add(-m.transit.Delay(m.W.FromSteady(*at), now))
}

// acked handles the answer to an order. Info, where there is one, shows the results of most.
func (m *Machine) acked(ctx actor.Context, p messages.Ack) {
	switch {
	case p.OK != nil || p.Progress != "":
		p.Error, p.Progress = m.W.Secrets.Text(p.Error), m.W.Secrets.Text(p.Progress)
		ctx.Send(m.fleet, fleet.Acked{Source: m.source, Link: m.number, Ack: p})
	case p.State == string(messages.RangeReleased) && p.Range != nil:
		// before any machine is given the range
		ctx.Send(m.sessions, moved{m.source, messages.SessionsMoved{Sessions: p.Sessions}})
		ctx.Send(m.fleet, fleet.Released{Source: m.source, Link: m.number, Shards: *p.Range})
	case !m.informs && p.Range != nil && (p.State == string(messages.RangeConnecting) || p.State == string(messages.RangeOperational)):
		m.ranges = slices.DeleteFunc(slices.Clone(m.ranges), func(r messages.RangeInfo) bool { return r.Range.Overlaps(*p.Range) })
		m.ranges = append(m.ranges, messages.RangeInfo{Range: *p.Range, State: messages.RangeState(p.State)})
		ctx.Send(m.fleet, fleet.Serves{Source: m.source, Link: m.number, Ranges: m.ranges})
	}
}

// alive records a sign of life. The next one is due within the interval and messages.DeadAfter.
func (m *Machine) alive(ctx actor.Context) {
	if m.beats && m.State() == "linked" {
		m.In(ctx, m.interval+messages.DeadAfter)
	}
}

func (m *Machine) send(p messages.FromMaster) {
	frame, err := codec.EncodeFromMaster(p)
	if err != nil {
		panic(err) // MASTER made the packet
	}
	if err := m.link.Send(frame); err != nil {
		m.Log.Debug().Err(err).Msg("packet not sent") // the link's end follows
	}
}

func rangeText(r *messages.ShardRange) string {
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
