package host

import "math"

// ears finds deaf shards: those that are READY and get no event for far longer than their habit,
// while the other shards of this process do. It is stepped at every look (watchEvery).
//
// A shard's habit is the share of looks at which it had an event, which no burst moves much. A look
// without one counts as much as the other shards had theirs: nothing at all in an outage, little in
// a quiet night. A shard is deaf once it has missed deafAfter looks at which it should have heard.
type ears map[int]*ear

type ear struct {
	events int64   // at the last look
	looks  float64 // so far, older ones count less
	active float64 // of these: with an event
	silent float64 // looks without an event, since the last one
	missed float64 // of these: expected to have one
}

const (
	habitLooks  = 720 // an hour: what is older counts little
	habitYoung  = 120 // looks before a shard is judged
	habitRarest = 0.1 // shards with an event at fewer looks are too quiet to be judged
	deafAfter   = 60  // expected looks that were missed: 5 min for a busy shard
)

// sound holds what a look finds of a shard.
type sound struct {
	ready  bool
	events int64 // so far
}

// step takes a look at every shard, and returns for how many looks those that are deaf were silent.
// A shard that is not READY is not judged, and remains deaf until an event comes.
func (e ears) step(all map[int]sound) (deaf map[int]int) {
	active, expected := 0.0, 0.0 // shards with an event; by habit
	for id, s := range all {
		if e[id] == nil {
			e[id] = &ear{events: s.events}
		}
		if s.ready {
			expected += e[id].habit()
			if s.events > e[id].events {
				active++
			}
		}
	}
	deaf = map[int]int{}
	for id, s := range all {
		one := e[id]
		if habit := one.habit(); s.events > one.events {
			one.hears()
		} else if s.ready {
			one.silent++
			if others := expected - habit; others > 0 {
				one.missed += habit * min(1, active/others)
			}
		}
		one.events = s.events
		if one.missed >= deafAfter && one.looks >= habitYoung && one.habit() >= habitRarest {
			deaf[id] = int(one.silent)
		}
	}
	return deaf
}

// habit returns the share of looks at which the shard has an event. The looks of a silence count
// once it is over.
func (e *ear) habit() float64 {
	if e.looks == 0 {
		return 0
	}
	return e.active / e.looks
}

// hears takes a look with an event, the first after a silence.
func (e *ear) hears() {
	older := math.Pow(1-1.0/habitLooks, e.silent+1)
	e.looks = min(habitLooks, e.looks*older+e.silent+1)
	e.active = e.active*older + 1
	e.silent, e.missed = 0, 0
}
