// Package sim runs whole fleets in one testing/synctest bubble, each run in an order drawn from a
// seed. Every timer, frame, process and message goes through one loop on one goroutine, so that a
// seed has exactly one trace.
//
//	loop.go     the loop: what is due, which mailbox goes next, the trace
//	mailbox.go  an actor's mailbox that runs one message a turn
//	net.go      links of whole frames, with latency, cuts and refusals
//	host.go     one machine: its World; disk.go its files
//	proc.go     one process on it; find.go the search for one
//	discord.go  the simulated Discord behind the net; wire.go the bytes of its gateway
//	socket.go   the loopback interface of a machine
//	guests.go   real code that runs beside the loop, on goroutines of its own
//	bubble.go   a bubble for a program that is no test
//	solo.go     one actor alone, for a test of what it does by itself
//
// Package rehearsal runs a whole fleet made of these for operators.
package sim

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Loop owns the order of everything in a simulated run. Call its methods on its own goroutine,
// which is that of the test and of callbacks.
type Loop struct {
	// Rand is for the choices of the story. Guests cannot change what it brings: the order of all
	// else is drawn from another stream of the seed.
	Rand *rand.Rand
	// Prefix begins the name of every actor of this run: one ActorSystem may serve many runs.
	Prefix string
	// Check is called after every step; its first error ends the run.
	Check func() error
	// Trace is called for every step; nil: never.
	Trace func(line string)
	// Around runs an actor's turn, to measure it; nil: the turn just runs.
	Around func(name string, turn func())

	rand  *rand.Rand
	start time.Time
	seq   uint64
	due   timers
	ready []*mailbox
	hash  uint64
	steps int
	moved time.Time // when time last passed
	busy  int       // steps since then
	err   error
	boxes []*mailbox
	guest guests
}

// loops numbers the loops.
var loops atomic.Int64

// birth is the start of simulated time: a bubble's clock starts in 2000, before Discord existed.
var birth = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// busyMax bounds the steps of one moment.
const busyMax = 100_000

// NewLoop returns a loop whose choices are drawn from seed. It belongs to the current bubble, whose
// clock it moves to 2026.
func NewLoop(seed uint64) *Loop {
	time.Sleep(time.Until(birth))
	return &Loop{Prefix: fmt.Sprintf("run%d.", loops.Add(1)), Rand: rand.New(rand.NewPCG(seed, 0x5eed)), rand: rand.New(rand.NewPCG(seed, 0x0de4)), start: time.Now(), hash: 14695981039346656037}
}

// Now returns the simulated time since the run began.
func (l *Loop) Now() time.Duration { return time.Since(l.start) }

// Actors lists every actor so far. An actor of a crashed run never stops; a system that goes on
// must forget it.
func (l *Loop) Actors() []*actor.PID {
	var all []*actor.PID
	for _, m := range l.boxes {
		all = append(all, m.invoker.(actor.Context).Self())
	}
	return all
}

// Err returns the first error of Check or Fail.
func (l *Loop) Err() error { return l.err }

// Fail ends the run with err.
func (l *Loop) Fail(err error) {
	if l.err == nil {
		l.err = fmt.Errorf("at %v, step %d: %w", l.Now(), l.steps, err)
	}
}

// Hash returns a number for the trace so far: two runs with one hash did the same things in the
// same order at the same times.
func (l *Loop) Hash() uint64 { return l.hash }

// Steps returns the number of steps so far.
func (l *Loop) Steps() int { return l.steps }

// After runs fn after d, unless it is cancelled before. Timers of the same moment run in the order
// in which they were set.
func (l *Loop) After(d time.Duration, fn func()) (cancel func()) {
	l.seq++
	t := &timer{at: time.Now().Add(max(d, 0)), seq: l.seq, fn: fn}
	heap.Push(&l.due, t)
	return func() { t.fn = nil }
}

// Run lets d of simulated time pass, or less after a failure.
func (l *Loop) Run(d time.Duration) error { return l.Until(d, func() bool { return false }) }

// Until lets time pass until done returns true, for d at most. It calls done after every step.
func (l *Loop) Until(d time.Duration, done func() bool) error {
	end := time.Now().Add(d)
	for l.err == nil && !done() {
		switch post, is := l.guest.next(); {
		case is:
			post()
		case len(l.ready) > 0:
			l.turn()
		case len(l.due) > 0 && !l.due[0].at.After(end):
			if t := l.due[0]; t.fn != nil && !l.guest.sleep(time.Until(t.at)) {
				continue // a guest acts before that
			}
			if t := heap.Pop(&l.due).(*timer); t.fn != nil {
				t.fn()
			} else {
				continue
			}
		default:
			if !l.guest.sleep(time.Until(end)) {
				continue
			}
			return l.err
		}
		l.steps++
		if now := time.Now(); now.After(l.moved) {
			l.moved, l.busy = now, 0
		} else if l.busy++; l.busy > busyMax {
			l.Fail(fmt.Errorf("%d steps without a moment passing: a loop that never ends", busyMax))
		}
		if l.Check != nil {
			if err := l.Check(); err != nil {
				l.Fail(err)
			}
		}
	}
	return l.err
}

// turn lets one ready mailbox, drawn from the seed, handle one message.
func (l *Loop) turn() {
	i := l.rand.IntN(len(l.ready))
	m := l.ready[i]
	last := len(l.ready) - 1
	l.ready[i] = l.ready[last]
	l.ready = l.ready[:last]
	if l.Around != nil {
		l.Around(m.name, m.turn)
		return
	}
	m.turn()
}

// note adds one step to the trace.
func (l *Loop) note(name string, msg any) {
	if env, ok := msg.(*actor.MessageEnvelope); ok {
		msg = env.Message
	}
	kind := reflect.TypeOf(msg).String()
	l.hash = mix(l.hash^uint64(l.Now()), name)
	l.hash = mix(l.hash, kind)
	if l.Trace != nil {
		l.Trace(fmt.Sprintf("%12v %-24s %s %+v", l.Now(), name, kind, msg))
	}
}

// mix continues FNV-1a from h.
func mix(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

type timer struct {
	at  time.Time
	seq uint64
	fn  func() // nil: cancelled
}

// timers is a heap by (at, seq).
type timers []*timer

func (t timers) Len() int { return len(t) }
func (t timers) Less(i, j int) bool {
	if !t[i].at.Equal(t[j].at) {
		return t[i].at.Before(t[j].at)
	}
	return t[i].seq < t[j].seq
}
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(x any)   { *t = append(*t, x.(*timer)) }
func (t *timers) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	(*t)[last] = nil // releases what its fn holds
	*t = (*t)[:last]
	return x
}
