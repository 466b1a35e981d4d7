package fleet

import (
	"errors"
	"fmt"
	"slices"

	"github.com/discluster/control/messages"
)

// This file keeps the operators' orders: those under way, their progress, and their outcomes.

type orders struct {
	open  []*openOrder
	ended []endedOrder // the newest, at most endedKept
}

// openOrder is an order under way.
type openOrder struct {
	messages.FleetOrder
	command  string   // the id of the unanswered command; "": none
	at       string   // the machine that got it; "": none did
	queue    []string // machines still to be done
	waits    bool     // for state Serving: its machines may still come
	progress string   // reported last
}

// endedOrder is an order that was refused, carried out, or failed.
type endedOrder struct {
	id        string
	directive messages.FleetDirective
	verdict   messages.Verdict
}

// Limits of what is kept.
const (
	endedKept = 256
	openMax   = 64
)

// unknownError is the error of an order for something that does not exist.
type unknownError struct{ error }

// accept begins an order, unless it is known.
func (f *Fleet) accept(order messages.FleetOrder) {
	if verdict, known := f.verdictOf(order); known {
		f.do(Answer{order, verdict})
		return
	}
	if len(f.open) == openMax {
		f.do(Answer{order, messages.Verdict{Refusal: messages.RefusedNow, Reason: fmt.Sprintf("%d orders are under way, which is the limit", openMax)}})
		return
	}
	o := &openOrder{FleetOrder: order}
	f.open = append(f.open, o)
	f.reportOrder(o, messages.FleetOrderMoved{State: messages.FleetOrderGiven, By: order.By})
	if o.waits = f.state != Serving; o.waits {
		f.do(Answer{order, messages.Verdict{}})
		f.advance(o, "MASTER gathers its machines")
		return
	}
	f.do(Answer{order, f.carryOut(o)})
	f.settle()
}

// carryOut begins what an order wants, and returns the answer for its sender.
func (f *Fleet) carryOut(o *openOrder) messages.Verdict {
	o.waits = false
	switch done, err := f.carry(o); {
	case err != nil:
		return f.end(o, messages.FleetOrderRefused, err)
	case done:
		return f.end(o, messages.FleetOrderDone, nil)
	}
	return messages.Verdict{}
}

// carryOutWaiting begins what waited for state Serving.
func (f *Fleet) carryOutWaiting() {
	for _, o := range slices.Clone(f.open) {
		if o.waits {
			f.carryOut(o)
		}
	}
}

// verdictOf returns the answer to an order whose id is known.
func (f *Fleet) verdictOf(order messages.FleetOrder) (verdict messages.Verdict, known bool) {
	directive := order.Directive
	if i := slices.IndexFunc(f.open, func(o *openOrder) bool { return o.ID == order.ID }); i >= 0 {
		known, directive = true, f.open[i].Directive
	} else if i := slices.IndexFunc(f.ended, func(o endedOrder) bool { return o.id == order.ID }); i >= 0 {
		known, directive, verdict = true, f.ended[i].directive, f.ended[i].verdict
	}
	if directive != order.Directive {
		return messages.Verdict{Refusal: messages.RefusedNow, Reason: fmt.Sprintf("the id %q is of another order: %s", order.ID, directive.FleetOrder())}, true
	}
	return verdict, known
}

// advance reports the progress of an order if it changed.
func (f *Fleet) advance(o *openOrder, progress string) {
	if progress != o.progress {
		o.progress = progress
		f.reportOrder(o, messages.FleetOrderMoved{State: messages.FleetOrderRunning, Progress: progress})
	}
}

// end reports the end of an order and keeps it for a repetition.
func (f *Fleet) end(o *openOrder, state messages.FleetOrderState, err error) messages.Verdict {
	f.open = slices.DeleteFunc(f.open, func(other *openOrder) bool { return other == o })
	moved, verdict := messages.FleetOrderMoved{State: state}, messages.Verdict{Done: true}
	if err != nil {
		moved.Err = err.Error()
		verdict = messages.Verdict{Refusal: messages.RefusedNow, Reason: moved.Err}
		if errors.As(err, new(unknownError)) {
			verdict.Refusal = messages.RefusedUnknown
		}
	}
	f.ended = append(f.ended, endedOrder{o.ID, o.Directive, verdict})
	f.ended = f.ended[max(0, len(f.ended)-endedKept):]
	f.reportOrder(o, moved)
	return verdict
}

func (f *Fleet) reportOrder(o *openOrder, moved messages.FleetOrderMoved) {
	moved.OrderID, moved.Order = o.ID, o.Directive.FleetOrder()
	f.raise(moved)
}
