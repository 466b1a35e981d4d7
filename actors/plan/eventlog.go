package plan

import (
	"slices"
	"strings"
	"time"

	"github.com/discluster/control/messages"
)

// How many events are kept of each kind: transitions, of which a start has thousands, apart from
// what people read. outputMax is how much output of a dead bot is kept.
const (
	keptEvents      = 500
	keptTransitions = 500
	keptRefusals    = 50 // refused connections: they displace nothing else
	outputMax       = 4 << 10
)

// EventLog keeps the last events and the followers of new ones. Its ids begin with the time of its
// start in milliseconds, so those of the next run are higher.
type EventLog struct {
	machine             string
	Last                uint64 // the id of the last event
	events, transitions ring
	refusals            ring
	followers           []messages.Follow
}

// NewEventLog returns an empty log whose ids begin at now.
func NewEventLog(machine string, now time.Time) *EventLog {
	first := uint64(now.UnixMilli())
	return &EventLog{
		machine:     machine,
		Last:        first,
		events:      ring{most: keptEvents, lost: first},
		transitions: ring{most: keptTransitions, lost: first},
		refusals:    ring{most: keptRefusals, lost: first},
	}
}

// ring holds the last events of a kind.
type ring struct {
	most int
	kept []messages.EventRecord
	at   int    // index of the oldest once the ring is full
	lost uint64 // the last id that is no longer kept, or that came before the log
}

func (r *ring) add(t messages.EventRecord) {
	if len(r.kept) < r.most {
		r.kept = append(r.kept, t)
		return
	}
	r.lost = r.kept[r.at].ID
	r.kept[r.at] = t
	r.at = (r.at + 1) % r.most
}

// after returns the kept events of at least a level and after an id, in order.
func (r *ring) after(id uint64, least messages.Level) (all []messages.EventRecord) {
	for i := range r.kept {
		t := r.kept[(r.at+i)%len(r.kept)]
		if _, level := t.Event.Event(); t.ID > id && level >= least {
			all = append(all, t)
		}
	}
	return all
}

// Follow delivers the kept events to a follower, and later ones as they come. Followers that no
// longer accept events are removed.
func (l *EventLog) Follow(f messages.Follow) {
	l.deliver(messages.EventBatch{Last: l.Last}, messages.LevelError)
	if f.Deliver(l.Since(f.After, f.Least)) {
		l.followers = append(l.followers, f)
	}
}

// Record adds an event and delivers it to the followers of its level.
func (l *EventLog) Record(e messages.Event, now time.Time) {
	record := l.Add(e, now)
	_, level := e.Event()
	l.deliver(messages.EventBatch{Events: []messages.EventRecord{record}, Last: record.ID}, level)
}

func (l *EventLog) deliver(t messages.EventBatch, level messages.Level) {
	l.followers = slices.DeleteFunc(l.followers, func(f messages.Follow) bool { return level >= f.Least && !f.Deliver(t) })
}

// Shorten returns an event as it is kept: with at most outputMax bytes of a dead bot's output.
func Shorten(e messages.Event) messages.Event {
	if up, is := e.(messages.ClusterGaveUp); is && len(up.Output) > outputMax {
		up.Output = strings.ToValidUTF8(strings.Clone(up.Output[len(up.Output)-outputMax:]), "")
		return up
	}
	return e
}

// Add records an event without delivering it.
func (l *EventLog) Add(e messages.Event, now time.Time) messages.EventRecord {
	e = Shorten(e)
	l.Last++
	t := messages.EventRecord{ID: l.Last, At: now, Machine: l.machine, Event: e}
	switch _, level := e.Event(); {
	case refusal(e):
		l.refusals.add(t)
	case level == messages.LevelDebug:
		l.transitions.add(t)
	default:
		l.events.add(t)
	}
	return t
}

// refusal reports whether anyone who reaches a port can cause the event.
func refusal(e messages.Event) bool {
	switch e.(type) {
	case messages.MachineRefused, messages.AdminRefused:
		return true
	}
	return false
}

// Since returns the kept events after an id; none for id 0.
func (l *EventLog) Since(id uint64, least messages.Level) messages.EventBatch {
	t := messages.EventBatch{Last: l.Last}
	if id == 0 {
		return t
	}
	t.Gap = id > l.Last || id < l.events.lost || least == messages.LevelDebug && id < l.transitions.lost
	if id > l.Last {
		id = 0 // another machine's id, or one of a time that this clock has not reached: send everything
	}
	t.Events = append(l.events.after(id, least), l.refusals.after(id, least)...)
	if least == messages.LevelDebug {
		t.Events = append(t.Events, l.transitions.after(id, least)...)
	}
	slices.SortFunc(t.Events, func(a, b messages.EventRecord) int { return int(a.ID) - int(b.ID) })
	return t
}
