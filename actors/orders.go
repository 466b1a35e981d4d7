package actors

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	codec "github.com/discluster/control/transport/master"
)

// orders is what MasterLink remembers of MASTER's orders: state is the truth, acks are hints, and
// an order that comes twice is answered from memory (PROTOCOL B1).
type orders struct {
	connects  map[messages.ShardRange]string // the id of the connect that granted a range
	offloads  []messages.Offload             // under way
	shutdowns []messages.Shutdown            // under way
	commands  []string                       // under way, by their ids
	held      []messages.Connect             // wait for the end of these, at most heldMax
	answered  []messages.Ack                 // the newest answers, at most answersKept
	unheard   []messages.Ack                 // of these: of commands that ended without a link, at most tasksMax
	pending   []messages.ShardRange          // connects that clusters has not answered
}

const (
	answersKept = 256
	heldMax     = 256
)

// frame reads one packet of MASTER. What cannot be read is dropped, and said once a link.
func (m *MasterLink) frame(ctx actor.Context, f linkFrame) {
	f.link.Ack()
	if f.link != m.link {
		return
	}
	p, err := codec.DecodeFromMaster(f.frame)
	var invalid *codec.FieldError
	switch {
	case errors.As(err, &invalid) && invalid.Packet == "initialise" && m.State() == "greeting":
		m.cannotObey(ctx, 0, err)
	case errors.As(err, &invalid):
		m.refuse(ctx, invalid.Packet, "", nil, err)
	case err != nil:
		if m.dropped++; m.dropped == 1 {
			m.raise(ctx, messages.PacketDropped{From: "MASTER", Err: err.Error()})
		}
	default:
		m.packet(ctx, p)
	}
}

func (m *MasterLink) packet(ctx actor.Context, p messages.FromMaster) {
	greeted := m.State() != "greeting"
	switch p := p.(type) {
	case messages.Initialise:
		m.initialise(ctx, p)
	case messages.MasterError:
		if times, ok := m.peer.Pass(time.Now()); ok {
			m.raise(ctx, messages.MasterReported{Code: p.Code, Message: p.Message, Times: more(times)})
		}
	case messages.HeartbeatAck:
		m.heartbeatAck(ctx, p)
	case messages.PermitAnswer:
		m.clock(ctx, p.Now, time.Time{})
		ctx.Send(m.house.Gate, p)
	case messages.Connect:
		m.obey(ctx, "connect", p.ID, p.Range, greeted, func() { m.connect(ctx, p) })
	case messages.Offload:
		m.obey(ctx, "offload", p.ID, &p.Range, greeted, func() { m.offload(ctx, p) })
	case messages.Shutdown:
		m.obey(ctx, "shutdown", p.ID, nil, greeted, func() {
			m.orders.shutdowns, m.orders.held = append(m.orders.shutdowns, p), nil
			if p.Halt != nil {
				m.halt(ctx, *p.Halt)
			}
			ctx.Send(m.house.Clusters, messages.StopAll{Reason: p.Reason})
		})
	case messages.Command:
		m.obey(ctx, "command "+p.Name, p.ID, nil, greeted, func() { m.command(ctx, p) })
	}
}

// obey carries out an order, once: not before initialise, and not again when it was answered.
func (m *MasterLink) obey(ctx actor.Context, name, id string, r *messages.ShardRange, greeted bool, do func()) {
	if !greeted {
		m.refuse(ctx, name, id, r, fmt.Errorf("%s came before initialise: the token and shard_count are not known", name))
		return
	}
	for _, ack := range m.orders.answered {
		if id != "" && ack.ID == id {
			m.send(ctx, ack)
			return
		}
	}
	if id == "" || !m.orders.underWay(id) {
		do()
	}
}

// connect takes a range, or the part of a spare.
func (m *MasterLink) connect(ctx actor.Context, p messages.Connect) {
	switch {
	case m.stopping:
		m.refuse(ctx, "connect", p.ID, p.Range, errors.New("this machine is stopping its clusters"))
	case m.halted(ctx, m.settings.Token):
		m.refuse(ctx, "connect", p.ID, p.Range, fmt.Errorf("halted: Discord refused this token or its intents with %d; nothing identifies with it again", m.memory.Halted.Code))
	case m.hasToWait(p) && len(m.orders.held) >= heldMax:
		m.refuse(ctx, "connect", p.ID, p.Range, fmt.Errorf("%d connects wait here for the end of other orders, which is the limit", heldMax))
	case m.hasToWait(p):
		m.orders.held = append(m.orders.held, p)
	case p.Range != nil && m.word != shardingOf(m.settings):
		m.refuse(ctx, "connect", p.ID, p.Range, fmt.Errorf("MASTER says %s, what is served here is of %s; offload it first", m.word, shardingOf(m.settings)))
	case p.Redundant && len(m.standing.Ranges) > 0:
		m.refuse(ctx, "connect", p.ID, nil, fmt.Errorf("redundant, but %d ranges are served here; offload them first", len(m.standing.Ranges)))
	case p.Redundant:
		m.answer(ctx, messages.Ack{ID: p.ID, Op: new(messages.OpConnect), State: "standby"})
	default:
		if m.orders.connects == nil {
			m.orders.connects = map[messages.ShardRange]string{}
		}
		m.orders.connects[*p.Range] = p.ID
		m.trust(ctx)
		for _, r := range m.standing.Ranges {
			if r.Range == *p.Range {
				m.ackRange(ctx, r)
				ctx.Send(m.house.Clusters, messages.Serve{ID: p.ID, Range: *p.Range}) // from now on by this order
				return
			}
		}
		m.orders.pending = append(m.orders.pending, *p.Range)
		m.keepServed(ctx)
		ctx.Send(m.house.Clusters, messages.Serve{ID: p.ID, Range: *p.Range, Sessions: p.Sessions})
	}
}

// offload lets go of a range. What of it waits to be begun never is.
func (m *MasterLink) offload(ctx actor.Context, p messages.Offload) {
	overlaps := func(r messages.RangeInfo) bool { return r.Range.Overlaps(p.Range) }
	pending := slices.ContainsFunc(m.orders.pending, p.Range.Overlaps)
	if cut := m.orders.cut(p.Range); cut && !pending && !slices.ContainsFunc(m.standing.Ranges, overlaps) {
		m.answer(ctx, messages.Ack{ID: p.ID, Op: new(messages.OpOffload), State: string(messages.RangeReleased), Range: &p.Range})
		return
	}
	m.orders.offloads = append(m.orders.offloads, p)
	ctx.Send(m.house.Clusters, messages.Release{ID: p.ID, Range: p.Range, Within: p.WithinMS.Duration()})
}

// cut takes a range out of the connects that wait, and reports whether any had of it.
func (o *orders) cut(r messages.ShardRange) (some bool) {
	held := o.held
	o.held = nil
	for _, p := range held {
		if p.Range == nil || !p.Range.Overlaps(r) {
			o.held = append(o.held, p)
			continue
		}
		some = true
		for _, left := range plan.Without([]messages.ShardRange{*p.Range}, r) {
			p.Range = &left
			o.held = append(o.held, p)
		}
	}
	return some
}

// stands takes note of what is served now, and tells MASTER what became of its orders.
func (m *MasterLink) stands(ctx actor.Context, now messages.MachineStatus) {
	before := m.standing
	m.standing = now
	for _, r := range now.Ranges {
		if !slices.Contains(before.Ranges, r) {
			m.ackRange(ctx, r)
		}
	}
	m.orders.pending = slices.DeleteFunc(m.orders.pending, func(p messages.ShardRange) bool {
		return slices.ContainsFunc(now.Ranges, func(r messages.RangeInfo) bool { return r.Range == p })
	})
	m.unpin(ctx)
	if !slices.Equal(before.Ranges, now.Ranges) {
		m.keepServed(ctx)
		m.info(ctx)
		if m.State() == "standby" || m.State() == "serving" {
			m.rest(ctx)
		}
	}
}

// released: an offload is done. What the range could resume goes to MASTER with the answer; what is too much for one packet, before it.
func (m *MasterLink) released(ctx actor.Context, r messages.SessionsHandedOver) {
	delete(m.orders.connects, r.Range)
	for len(r.Sessions) > sessionsPerPacket {
		m.send(ctx, messages.SessionsMoved{Sessions: r.Sessions[:sessionsPerPacket]})
		r.Sessions = r.Sessions[sessionsPerPacket:]
	}
	m.answer(ctx, messages.Ack{ID: r.ID, Op: new(messages.OpOffload), State: string(messages.RangeReleased), Range: &r.Range, Sessions: r.Sessions})
	m.endOffload(ctx, r.ID, r.Range)
}

// endOffload: an offload is no longer under way.
func (m *MasterLink) endOffload(ctx actor.Context, id string, r messages.ShardRange) {
	m.orders.offloads = slices.DeleteFunc(m.orders.offloads, func(o messages.Offload) bool { return o.ID == id && o.Range == r })
	m.unhold(ctx)
}

// underWay reports whether the order with an id is being carried out; its answer will come.
func (o *orders) underWay(id string) bool {
	return slices.ContainsFunc(o.offloads, func(o messages.Offload) bool { return o.ID == id }) ||
		slices.ContainsFunc(o.shutdowns, func(s messages.Shutdown) bool { return s.ID == id }) ||
		slices.ContainsFunc(o.held, func(c messages.Connect) bool { return c.ID == id }) ||
		slices.Contains(o.commands, id)
}

// hasToWait reports whether a connect has to wait for a lease, or for the end of another order:
// stopping has the greater force (PROTOCOL B1, "Order of force").
func (m *MasterLink) hasToWait(p messages.Connect) bool {
	inTheWay := func(o messages.Offload) bool { return m.word != shardingOf(m.settings) || o.Range.Overlaps(*p.Range) }
	return m.lease.over() || len(m.orders.shutdowns) > 0 || p.Range != nil && slices.ContainsFunc(m.orders.offloads, inTheWay)
}

// unhold tries the connects that waited for another order's end.
func (m *MasterLink) unhold(ctx actor.Context) {
	m.unpin(ctx)
	held := m.orders.held
	m.orders.held = nil
	for _, p := range held {
		m.connect(ctx, p)
	}
}

// rest is the state of a link with nothing to wait for.
func (m *MasterLink) rest(ctx actor.Context) {
	switch serving := len(m.standing.Ranges) > 0; {
	case serving && m.State() != "serving":
		m.Enter("serving", m.serving)
	case !serving && m.State() != "standby":
		m.Enter("standby", m.standby)
	}
}

// ackRange tells MASTER how far a range is.
func (m *MasterLink) ackRange(ctx actor.Context, r messages.RangeInfo) {
	m.send(ctx, messages.Ack{ID: m.orders.connects[r.Range], Op: new(messages.OpConnect), State: string(r.State), Range: &r.Range})
}

// answer gives the last word on an order, and remembers it.
func (m *MasterLink) answer(ctx actor.Context, ack messages.Ack) {
	if ack.ID != "" {
		m.orders.answered = append(m.orders.answered, ack)
		m.orders.answered = m.orders.answered[max(0, len(m.orders.answered)-answersKept):]
	}
	m.send(ctx, ack)
}

// refuse says why an order was not obeyed: to the log, and to MASTER.
func (m *MasterLink) refuse(ctx actor.Context, order, id string, r *messages.ShardRange, why error) {
	reason := m.W.Secrets.Text(why.Error())
	if times, ok := m.peer.Pass(time.Now()); ok {
		refused := messages.OrderRefused{Order: order, Err: reason, Times: more(times)}
		if r != nil {
			refused.Shards = r.String()
		}
		m.raise(ctx, refused)
	}
	m.send(ctx, messages.MasterError{Message: reason, Kind: "order.refused", Shards: r})
	if id != "" && m.announced(messages.FeatureOrders) {
		m.answer(ctx, messages.Ack{ID: id, OK: new(false), Error: reason, Range: r})
	}
}

// more is how many an event stands for; 0, for itself alone.
func more(times int) int {
	if times == 1 {
		return 0
	}
	return times
}

// info says what this machine is and serves, where MASTER wants to know.
func (m *MasterLink) info(ctx actor.Context) {
	m.send(ctx, messages.Info{
		Hostname: m.options.Hostname, Version: m.options.Version, CPUs: m.options.CPUs, MemoryBytes: m.options.Memory, Weight: m.options.Master.Weight,
		Epoch: m.memory.Epoch, Machine: m.settings.Place, ShardCount: m.settings.ShardCount, MaxConcurrency: m.settings.MaxConcurrency,
		ShardsPerCluster: m.settings.ShardsPerCluster, Ranges: m.standing.Ranges, LastIdentify: shown(m.last, m.W.AtSteady), Now: new(m.W.AtSteady(time.Now())), Halted: m.memory.Halted, Resumed: m.memory.Resumed, Drained: m.memory.Drained,
		Features: []string{messages.FeatureInfo, messages.FeatureHeartbeat, messages.FeaturePermits, messages.FeatureSessions, messages.FeatureOrders},
	})
}

// announced reports whether MASTER said that it knows a feature.
func (m *MasterLink) announced(feature string) bool { return slices.Contains(m.features, feature) }

// speaks reports whether MASTER takes the packet: an upstream MASTER takes fatal, error and ack
// alone (PROTOCOL A6).
func (m *MasterLink) speaks(p messages.FromControl) bool {
	switch p.(type) {
	case messages.Info:
		return m.announced(messages.FeatureInfo)
	case messages.Heartbeat:
		return m.announced(messages.FeatureHeartbeat)
	case messages.PermitRequest, messages.PermitReport:
		return m.announced(messages.FeaturePermits)
	case messages.SessionsMoved:
		return m.announced(messages.FeatureSessions)
	default:
		return true
	}
}

// send sends one packet that MASTER takes; without a link it is lost, and what MASTER must know it learns from the next info.
func (m *MasterLink) send(ctx actor.Context, p messages.FromControl) {
	if m.link == nil || !m.speaks(p) {
		return
	}
	frame, err := codec.EncodeFromControl(p)
	if err != nil {
		panic(err) // a packet of our own making
	}
	switch err := m.link.Send(frame); {
	case errors.Is(err, transport.ErrTooLarge): // the link is as good as before; only a bot can have made the packet so long
		m.Log.Error().Err(err).Str("packet", fmt.Sprintf("%T", p)).Msg("packet not sent")
	case err != nil:
		ctx.Send(ctx.Self(), linkEnded{m.link, err}) // its own word may be lost
		m.Log.Warn().Err(err).Str("packet", fmt.Sprintf("%T", p)).Msg("packet not sent")
	}
}
