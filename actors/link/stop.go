package link

import (
	"slices"

	"github.com/discluster/control/messages"
)

// This file holds the end of CONTROL, and the repair after a panic.

// abandonLink closes the link, or abandons the dial.
func (l *Link) abandonLink() {
	for _, open := range []int{l.dial, l.link} {
		if open != 0 {
			l.do(Close{open, 0, "control stops"})
		}
	}
	l.dial, l.link = 0, 0
	l.timer++
}

func (l *Link) stop(e messages.Stop) {
	switch {
	case e.Detach:
		l.stopping, l.detached = true, true
		l.do(Stop{})
	case !l.stopping:
		l.stopping = true
		if !l.recalled { // without link.json the clusters find and end what runs
			l.deliver(Clusters, messages.TakeBack{Settings: l.settings})
		}
		l.deliver(Clusters, messages.StopAll{Reason: e.Reason})
	}
}

// allStopped ends the shutdowns, and a stop of CONTROL: no cluster is left.
func (l *Link) allStopped() {
	for _, order := range l.orders.shutdowns {
		l.answer(messages.Ack{ID: order.ID, Op: new(messages.OpShutdown), State: string(messages.RangeStopped)})
	}
	l.orders.shutdowns, l.lease.stopping = nil, false
	l.retryHeld()
	if l.stopping {
		l.memory.Ranges, l.memory.Epochs = nil, nil
		l.save()
		l.do(Stop{})
	}
}

// repeat sends an actor that panicked what it may have lost: the settings and the orders under way.
// An actor that has them already ignores them.
func (l *Link) repeat(child Actor) {
	switch {
	case l.detached:
	case child == Gate && l.settings.ShardCount > 0:
		l.deliver(Gate, l.settings)
		if l.up() {
			l.deliver(Gate, messages.LinkUp{})
		} else {
			l.deliver(Gate, messages.LinkDown{})
		}
	case child == Sessions:
		l.deliver(Sessions, l.reports())
		for _, o := range l.orders.offloads {
			if !slices.ContainsFunc(l.status.Ranges, func(r messages.RangeInfo) bool { return r.Range.Overlaps(o.Range) }) {
				l.deliver(Sessions, messages.HandSessionsOver{ID: o.ID, Range: o.Range})
			}
		}
	case child == Clusters && (l.stopping || l.lease.stopping || len(l.orders.shutdowns) > 0):
		l.deliver(Clusters, messages.StopAll{Reason: "ordered before"})
	case child == Clusters && l.recalled:
		back := messages.TakeBack{Settings: l.settings, Ranges: l.memory.served()}
		if l.unconfirmed {
			back.Settings.Token = ""
		}
		l.deliver(Clusters, back)
		l.deliver(Clusters, l.leaseNow())
		for _, o := range l.orders.offloads {
			l.deliver(Clusters, messages.Release{ID: o.ID, Range: o.Range, Within: o.WithinMS.Duration()})
		}
	}
}
