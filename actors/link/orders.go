package link

import (
	"errors"
	"fmt"
	"slices"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// orders holds MASTER's orders under way and the answers to others. The reported state is
// authoritative, an ack is a hint, and a repeated order gets its first answer (PROTOCOL B1).
type orders struct {
	connects  map[messages.ShardRange]string // the id of the connect that granted a range
	offloads  []messages.Offload             // under way
	shutdowns []messages.Shutdown            // under way
	commands  []string                       // under way, by their ids
	held      []messages.Connect             // that wait for the end of others, at most heldMax
	answered  []messages.Ack                 // the newest answers, at most answersKept
	unsent    []messages.Ack                 // of these, those of commands that ended without a link
	pending   []messages.ShardRange          // of connects that the clusters have not answered
}

const (
	answersKept = 256
	heldMax     = 256
	// SessionsPerPacket is the most sessions in a packet, of some 300 bytes each: a frame has at most
	// 1 MiB (PROTOCOL B1).
	SessionsPerPacket = 1000
)

// obey carries out an order once. It refuses one before initialise, and repeats the answer to one
// that was answered.
func (l *Link) obey(name, id string, r *messages.ShardRange, carryOut func()) {
	if l.state == Greeting {
		l.refuse(name, id, r, fmt.Errorf("%s came before initialise: the token and shard_count are not known", name))
		return
	}
	for _, ack := range l.orders.answered {
		if id != "" && ack.ID == id {
			l.send(ack)
			return
		}
	}
	if id == "" || !l.orders.underWay(id) {
		carryOut()
	}
}

// connect handles the order to serve a range or to be a spare.
func (l *Link) connect(p messages.Connect) {
	switch {
	case l.stopping:
		l.refuse(messages.OrderConnect, p.ID, p.Range, errors.New("this machine is stopping its clusters"))
	case l.isHalted(l.settings.Token):
		l.refuse(messages.OrderConnect, p.ID, p.Range, fmt.Errorf("halted: Discord refused this token or its intents with %d; nothing identifies with it again", l.memory.Halted.Code))
	case l.hasToWait(p) && len(l.orders.held) >= heldMax:
		l.refuse(messages.OrderConnect, p.ID, p.Range, fmt.Errorf("%d connects wait here for the end of other orders, which is the limit", heldMax))
	case l.hasToWait(p):
		l.orders.held = append(l.orders.held, p)
	case p.Range != nil && l.sharding != shardingOf(l.settings):
		l.refuse(messages.OrderConnect, p.ID, p.Range, fmt.Errorf("MASTER has %s, but what is served here is of %s; offload it first", l.sharding, shardingOf(l.settings)))
	case p.Redundant && len(l.status.Ranges) > 0:
		l.refuse(messages.OrderConnect, p.ID, nil, fmt.Errorf("redundant, but %d ranges are served here; offload them first", len(l.status.Ranges)))
	case p.Redundant:
		l.answer(messages.Ack{ID: p.ID, Op: new(messages.OpConnect), State: "standby"})
	default:
		l.serve(p)
	}
}

func (l *Link) serve(p messages.Connect) {
	if l.orders.connects == nil {
		l.orders.connects = map[messages.ShardRange]string{}
	}
	l.orders.connects[*p.Range] = p.ID
	l.startUnconfirmed()
	for _, r := range l.status.Ranges {
		if r.Range == *p.Range {
			l.ackRange(r)
			l.deliver(Clusters, messages.Serve{ID: p.ID, Range: *p.Range}) // by this order from now on
			return
		}
	}
	l.orders.pending = append(l.orders.pending, *p.Range)
	l.keepServed()
	l.deliver(Clusters, messages.Serve{ID: p.ID, Range: *p.Range, Sessions: p.Sessions})
}

// offload handles the order to release a range. What is held of it never starts.
func (l *Link) offload(p messages.Offload) {
	overlaps := func(r messages.RangeInfo) bool { return r.Range.Overlaps(p.Range) }
	pending := slices.ContainsFunc(l.orders.pending, p.Range.Overlaps)
	if cut := l.orders.cut(p.Range); cut && !pending && !slices.ContainsFunc(l.status.Ranges, overlaps) {
		l.answer(messages.Ack{ID: p.ID, Op: new(messages.OpOffload), State: string(messages.RangeReleased), Range: &p.Range})
		return
	}
	l.orders.offloads = append(l.orders.offloads, p)
	l.deliver(Clusters, messages.Release{ID: p.ID, Range: p.Range, Within: p.WithinMS.Duration()})
}

// shutdown handles the order to stop every cluster, perhaps with a halt.
func (l *Link) shutdown(p messages.Shutdown) {
	l.orders.shutdowns, l.orders.held = append(l.orders.shutdowns, p), nil
	if p.Halt != nil {
		l.halt(*p.Halt)
	}
	l.deliver(Clusters, messages.StopAll{Reason: p.Reason})
}

// cut removes a range from the held connects and reports whether any had a part of it.
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

// served records what is served now and acks the orders that changed it.
func (l *Link) served(now messages.MachineStatus) {
	before := l.status
	l.status = now
	for _, r := range now.Ranges {
		if !slices.Contains(before.Ranges, r) {
			l.ackRange(r)
		}
	}
	l.orders.pending = slices.DeleteFunc(l.orders.pending, func(p messages.ShardRange) bool {
		return slices.ContainsFunc(now.Ranges, func(r messages.RangeInfo) bool { return r.Range == p })
	})
	l.unpin()
	if !slices.Equal(before.Ranges, now.Ranges) {
		l.keepServed()
		l.info()
		if l.up() {
			l.settle()
		}
	}
}

// released ends an offload. The ack carries the sessions of the range; those beyond one packet
// precede it.
func (l *Link) released(r messages.SessionsHandedOver) {
	delete(l.orders.connects, r.Range)
	for len(r.Sessions) > SessionsPerPacket {
		l.send(messages.SessionsMoved{Sessions: r.Sessions[:SessionsPerPacket]})
		r.Sessions = r.Sessions[SessionsPerPacket:]
	}
	l.answer(messages.Ack{ID: r.ID, Op: new(messages.OpOffload), State: string(messages.RangeReleased), Range: &r.Range, Sessions: r.Sessions})
	l.endOffload(r.ID, r.Range)
}

func (l *Link) endOffload(id string, r messages.ShardRange) {
	l.orders.offloads = slices.DeleteFunc(l.orders.offloads, func(o messages.Offload) bool { return o.ID == id && o.Range == r })
	l.retryHeld()
}

// underWay reports whether the order with an id will still be answered.
func (o *orders) underWay(id string) bool {
	return slices.ContainsFunc(o.offloads, func(o messages.Offload) bool { return o.ID == id }) ||
		slices.ContainsFunc(o.shutdowns, func(s messages.Shutdown) bool { return s.ID == id }) ||
		slices.ContainsFunc(o.held, func(c messages.Connect) bool { return c.ID == id }) ||
		slices.Contains(o.commands, id)
}

// hasToWait reports whether a connect waits for a lease or for the end of another order: stops take
// precedence (PROTOCOL B1, "Precedence of orders").
func (l *Link) hasToWait(p messages.Connect) bool {
	inTheWay := func(o messages.Offload) bool {
		return l.sharding != shardingOf(l.settings) || o.Range.Overlaps(*p.Range)
	}
	return l.leaseIsOver() || len(l.orders.shutdowns) > 0 || p.Range != nil && slices.ContainsFunc(l.orders.offloads, inTheWay)
}

// retryHeld tries the held connects again.
func (l *Link) retryHeld() {
	l.unpin()
	held := l.orders.held
	l.orders.held = nil
	for _, p := range held {
		l.connect(p)
	}
}

// ackRange acks the state of a range.
func (l *Link) ackRange(r messages.RangeInfo) {
	l.send(messages.Ack{ID: l.orders.connects[r.Range], Op: new(messages.OpConnect), State: string(r.State), Range: &r.Range})
}

// answer sends the final answer to an order and keeps it for a repetition.
func (l *Link) answer(ack messages.Ack) {
	if ack.ID != "" {
		l.orders.answered = append(l.orders.answered, ack)
		l.orders.answered = l.orders.answered[max(0, len(l.orders.answered)-answersKept):]
	}
	l.send(ack)
}

// refuse reports why an order was not obeyed, to operators and to MASTER.
func (l *Link) refuse(order, id string, r *messages.ShardRange, why error) {
	reason := l.options.Redact(why.Error())
	if times, ok := l.peer.Pass(l.now); ok {
		refused := messages.OrderRefused{Order: order, Err: reason, Times: plan.Times(times)}
		if r != nil {
			refused.Shards = r.String()
		}
		l.raise(refused)
	}
	l.send(messages.MasterError{Message: reason, Kind: "order.refused", Shards: r})
	if id != "" && l.announced(messages.FeatureOrders) {
		l.answer(messages.Ack{ID: id, OK: new(false), Error: reason, Range: r})
	}
}
