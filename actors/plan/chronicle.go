package plan

import (
	"slices"
	"strings"
	"time"

	"github.com/discluster/control/messages"
)

// What a chronicle keeps: transitions, of which there are thousands at a start, apart from what people read. outputMax is how much of a dead bot's last words.
const (
	keptNews  = 500
	keptMoves = 500
	keptKnock = 50 // of those who were not let in: they displace nothing else
	outputMax = 4 << 10
)

// Chronicle is what happened last, and who wants to hear what comes. Its ids begin with the time of its start, in milliseconds: those of the next life are higher.
type Chronicle struct {
	machine     string
	Last        uint64 // the id of the last event
	news, moves ring
	knocks      ring
	followers   []messages.Follow
}

// NewChronicle begins one.
func NewChronicle(machine string, now time.Time) *Chronicle {
	first := uint64(now.UnixMilli())
	return &Chronicle{machine: machine, Last: first, news: ring{most: keptNews, lost: first}, moves: ring{most: keptMoves, lost: first}, knocks: ring{most: keptKnock, lost: first}}
}

// ring holds the last events of a kind.
type ring struct {
	most int
	kept []messages.EventRecord
	at   int    // of the oldest, once it is full
	lost uint64 // the last id that is not kept, or that was before
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

// after is what is kept of a level and after an id, in order.
func (r *ring) after(id uint64, least messages.Level) (all []messages.EventRecord) {
	for i := range r.kept {
		t := r.kept[(r.at+i)%len(r.kept)]
		if _, level := t.Event.Event(); t.ID > id && level >= least {
			all = append(all, t)
		}
	}
	return all
}

// Follow tells a follower what is kept, and from now on what comes. Those before it who have had enough are forgotten.
func (c *Chronicle) Follow(f messages.Follow) {
	c.tell(messages.EventBatch{Last: c.Last}, messages.LevelError)
	if f.Deliver(c.Since(f.After, f.Least)) {
		c.followers = append(c.followers, f)
	}
}

// Tell writes an event down, and tells everybody who follows its level.
func (c *Chronicle) Tell(e messages.Event, now time.Time) {
	told := c.Add(e, now)
	_, level := e.Event()
	c.tell(messages.EventBatch{Events: []messages.EventRecord{told}, Last: told.ID}, level)
}

func (c *Chronicle) tell(t messages.EventBatch, level messages.Level) {
	c.followers = slices.DeleteFunc(c.followers, func(f messages.Follow) bool { return level >= f.Least && !f.Deliver(t) })
}

// Shorten is an event as it is kept: with no more of a dead bot's last words than outputMax.
func Shorten(e messages.Event) messages.Event {
	if up, is := e.(messages.ClusterGaveUp); is && len(up.Output) > outputMax {
		up.Output = strings.ToValidUTF8(strings.Clone(up.Output[len(up.Output)-outputMax:]), "")
		return up
	}
	return e
}

// Add writes an event down.
func (c *Chronicle) Add(e messages.Event, now time.Time) messages.EventRecord {
	e = Shorten(e)
	c.Last++
	t := messages.EventRecord{ID: c.Last, At: now, Machine: c.machine, Event: e}
	switch _, level := e.Event(); {
	case knock(e):
		c.knocks.add(t)
	case level == messages.LevelDebug:
		c.moves.add(t)
	default:
		c.news.add(t)
	}
	return t
}

// knock reports whether an event is one that anyone can cause who reaches a port.
func knock(e messages.Event) bool {
	switch e.(type) {
	case messages.MachineRefused, messages.AdminRefused:
		return true
	}
	return false
}

// Since is what is kept after an id, 0 being now.
func (c *Chronicle) Since(id uint64, least messages.Level) messages.EventBatch {
	t := messages.EventBatch{Last: c.Last}
	if id == 0 {
		return t
	}
	t.Gap = id > c.Last || id < c.news.lost || least == messages.LevelDebug && id < c.moves.lost
	if id > c.Last {
		id = 0 // of another machine, or of a time that our clock has not reached: all is told
	}
	t.Events = append(c.news.after(id, least), c.knocks.after(id, least)...)
	if least == messages.LevelDebug {
		t.Events = append(t.Events, c.moves.after(id, least)...)
	}
	slices.SortFunc(t.Events, func(a, b messages.EventRecord) int { return int(a.ID) - int(b.ID) })
	return t
}
