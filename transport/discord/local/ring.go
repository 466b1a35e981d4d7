package local

import (
	"slices"
	"time"
)

// event is one dispatch of Discord.
type event struct {
	seq  int64
	kind string
	data []byte
	at   time.Time // when it came
	came uint32    // the local session there was then, 0: none
	run  uint32    // the last local session that it was sent to, 0: none
	ends uint8     // connections that ended after it was sent and before it was acknowledged
	own  bool      // the bot's voice state, in a channel
}

// overhead is the bytes that an event takes beside its data.
const overhead = 96

// ring holds the events that are not acknowledged, in the order of their sequences.
type ring struct {
	events []event
	bytes  int
}

func (r *ring) add(e event) {
	r.events = append(r.events, e)
	r.bytes += len(e.data) + overhead
}

// take removes the events up to seq.
func (r *ring) take(seq int64, each func(event)) {
	n := 0
	for ; n < len(r.events) && r.events[n].seq <= seq; n++ {
		each(r.events[n])
		r.bytes -= len(r.events[n].data) + overhead
		r.events[n] = event{} // for the garbage collector
	}
	r.events = r.events[n:]
}

// blame counts one more end for each event up to seq, and notes in suspects how many it has.
func (r *ring) blame(seq int64, suspects map[int64]uint8) {
	for i := range r.after(seq) {
		e := &r.events[i]
		e.ends++
		suspects[e.seq] = e.ends
	}
}

// after returns the index of the first event after seq.
func (r *ring) after(seq int64) int {
	if len(r.events) == 0 || seq < r.events[0].seq {
		return 0
	}
	if i := int(seq - r.events[0].seq + 1); i <= len(r.events) && r.events[i-1].seq == seq {
		return i // sequences have no gaps but at a RESUMED
	}
	i, _ := slices.BinarySearchFunc(r.events, seq+1, func(e event, want int64) int {
		return int(e.seq - want)
	})
	return i
}

// oldest returns up to which sequence events must go for the rest to take no more than limit bytes;
// 0: none. The last one stays, however large.
func (r *ring) oldest(limit int) (upTo int64) {
	left := r.bytes
	for i, e := range r.events {
		if left <= limit || i == len(r.events)-1 {
			break
		}
		left -= len(e.data) + overhead
		upTo = e.seq
	}
	return upTo
}
