package server

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/discluster/control/transport/discord/rules"
)

// lineMax limits a line: two full replays of 1,000 events and the guilds of the largest shard
// (2,500) fit. A connection that needs more is broken.
const lineMax = 8192

// line is the delay line of one direction of a connection: values come out in the order they were
// put in, each delayed by its own share of the jitter.
type line[T any] struct {
	jitter *atomic.Int64
	wake   chan struct{} // 1: there are new values

	mu    sync.Mutex
	rand  *rand.Rand // nil until there is jitter
	seed  [2]uint64
	items []due[T]
	last  time.Time // when the last item is due: the next is never earlier
	ended bool      // no more will come
	full  bool      // it overflowed
}

// due is a value and its arrival.
type due[T any] struct {
	at time.Time
	v  T
}

// newLine returns the line of one direction (0 in, 1 out) of a connection.
func newLine[T any](s *Server, id rules.Conn, direction uint64) *line[T] {
	return &line[T]{jitter: &s.jitter, wake: make(chan struct{}, 1), seed: [2]uint64{s.seed, uint64(id)<<1 | direction}}
}

// put adds v. A full line ends: its reader breaks the connection.
func (l *line[T]) put(v T) {
	l.mu.Lock()
	switch {
	case l.ended:
	case len(l.items) == lineMax:
		l.full, l.ended = true, true
	default:
		at := time.Now()
		if j := l.jitter.Load(); j > 0 {
			if l.rand == nil {
				l.rand = rand.New(rand.NewPCG(l.seed[0], l.seed[1]))
			}
			at = at.Add(time.Duration(l.rand.Int64N(j + 1)))
		}
		if at.Before(l.last) {
			at = l.last
		}
		l.last = at
		l.items = append(l.items, due[T]{at, v})
	}
	l.mu.Unlock()
	l.notify()
}

// end marks the line as ended. Values in the line still come out.
func (l *line[T]) end() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.notify()
}

func (l *line[T]) notify() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// each calls f with every value when it is due. It returns true when the line has ended and all
// came out; false when it overflowed, or f returned false.
func (l *line[T]) each(f func(at time.Time, v T) bool) (whole bool) {
	for {
		l.mu.Lock()
		items, ended, full := l.items, l.ended, l.full
		l.items = nil
		l.mu.Unlock()
		if full {
			return false
		}
		for _, i := range items {
			if wait := time.Until(i.at); wait > 0 {
				time.Sleep(wait) // at most the jitter
			}
			if !f(i.at, i.v) {
				return false
			}
		}
		if len(items) > 0 {
			continue
		}
		if ended {
			return true
		}
		<-l.wake
	}
}
