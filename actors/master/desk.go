package master

import (
	"errors"
	"fmt"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/messages"
)

// This file is the book of an operator's orders: which are under way, what is said of them, and how they ended. What they are is in messages.

// desk is the orders that are known.
type desk struct {
	open  []*openOrder
	ended []endedOrder // the newest, at most endedKept
}

// openOrder is an order under way.
type openOrder struct {
	messages.FleetOrder
	command string   // the id of the command that is out; "": none is
	at      string   // the machine it went to
	queue   []string // machines whose turn is to come
	waits   bool     // for MASTER to serve: whom it concerns may have yet to come back
	said    string   // last
}

// endedOrder is an order that was refused, carried out, or failed.
type endedOrder struct {
	id        string
	directive messages.FleetDirective
	verdict   messages.Verdict
}

// Limits of the desk.
const (
	endedKept = 256
	openMax   = 64
)

// unknownError is that of an order for what is not there.
type unknownError struct{ error }

// take begins an order, unless it is known.
func (f *Fleet) take(ctx actor.Context, m messages.FleetOrder) {
	if verdict, known := f.recall(m); known {
		m.Answer(verdict)
		return
	}
	if len(f.open) == openMax {
		m.Answer(messages.Verdict{Refusal: messages.RefusedNow, Reason: fmt.Sprintf("%d orders are under way, which is the limit", openMax)})
		return
	}
	o := &openOrder{FleetOrder: m}
	f.open = append(f.open, o)
	f.tell(o, messages.FleetOrderMoved{State: messages.FleetOrderGiven, By: m.By})
	if o.waits = f.State() != "serving"; o.waits {
		m.Answer(messages.Verdict{})
		f.say(o, "MASTER gathers its machines")
		return
	}
	m.Answer(f.carryOut(ctx, o))
	f.settle(ctx)
}

// carryOut begins what an order wants, and gives the answer to who asks.
func (f *Fleet) carryOut(ctx actor.Context, o *openOrder) messages.Verdict {
	o.waits = false
	switch done, err := f.carry(ctx, o); {
	case err != nil:
		return f.end(o, messages.FleetOrderRefused, err)
	case done:
		return f.end(o, messages.FleetOrderDone, nil)
	}
	return messages.Verdict{}
}

// carryOutWaiting begins what waited for MASTER to serve.
func (f *Fleet) carryOutWaiting(ctx actor.Context) {
	for _, o := range slices.Clone(f.open) {
		if o.waits {
			f.carryOut(ctx, o)
		}
	}
}

// recall is the answer to an order whose id was seen.
func (f *Fleet) recall(m messages.FleetOrder) (verdict messages.Verdict, known bool) {
	directive := m.Directive
	if i := slices.IndexFunc(f.open, func(o *openOrder) bool { return o.ID == m.ID }); i >= 0 {
		known, directive = true, f.open[i].Directive
	} else if i := slices.IndexFunc(f.ended, func(o endedOrder) bool { return o.id == m.ID }); i >= 0 {
		known, directive, verdict = true, f.ended[i].directive, f.ended[i].verdict
	}
	if directive != m.Directive {
		return messages.Verdict{Refusal: messages.RefusedNow, Reason: fmt.Sprintf("the id %q is of another order: %s", m.ID, directive.FleetOrder())}, true
	}
	return verdict, known
}

// say tells how far an order is, when that is news.
func (f *Fleet) say(o *openOrder, text string) {
	if text != o.said {
		o.said = text
		f.tell(o, messages.FleetOrderMoved{State: messages.FleetOrderRunning, Progress: text})
	}
}

// end gives the last word on an order, and remembers it.
func (f *Fleet) end(o *openOrder, state messages.FleetOrderState, err error) messages.Verdict {
	f.open = slices.DeleteFunc(f.open, func(other *openOrder) bool { return other == o })
	word, verdict := messages.FleetOrderMoved{State: state}, messages.Verdict{Done: true}
	if err != nil {
		word.Err = err.Error()
		verdict = messages.Verdict{Refusal: messages.RefusedNow, Reason: word.Err}
		if errors.As(err, new(unknownError)) {
			verdict.Refusal = messages.RefusedUnknown
		}
	}
	f.ended = append(f.ended, endedOrder{o.ID, o.Directive, verdict})
	f.ended = f.ended[max(0, len(f.ended)-endedKept):]
	f.tell(o, word)
	return verdict
}

func (f *Fleet) tell(o *openOrder, word messages.FleetOrderMoved) {
	word.OrderID, word.Order = o.ID, o.Directive.FleetOrder()
	f.raise(word)
}
