package sim

import (
	"cmp"
	"slices"
	"sync"
	"testing/synctest"
	"time"
)

// guests are programs of real code on goroutines of their own, in the same bubble. Between two
// steps of the loop they run until they wait, and each of their effects is a step. Those of one
// moment come in the order of the processes. Within a process the runtime chooses which of the
// goroutines that are awake runs first, so a seed has several traces with guests.
type guests struct {
	mu      sync.Mutex
	present bool
	posts   []post
	wake    chan struct{} // holds one
}

// Invite announces guests to the loop.
func (l *Loop) Invite() {
	g := &l.guest
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.present {
		g.present, g.wake = true, make(chan struct{}, 1)
	}
}

// post is a step that a guest asks for.
type post struct {
	of *Proc
	fn func()
}

// before orders what the processes ask for at one time by their pids; what one process asks for
// keeps the order of its calls.
func (p post) before(other post) int {
	return cmp.Or(cmp.Compare(p.of.Host.Name, other.of.Host.Name), cmp.Compare(p.of.pid, other.of.pid))
}

// post makes fn a step of the loop, for a process. It may be called from any goroutine.
func (l *Loop) post(of *Proc, fn func()) {
	g := &l.guest
	g.mu.Lock()
	g.posts = append(g.posts, post{of, fn})
	g.mu.Unlock()
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// next returns the first posted step, after every guest waits.
func (g *guests) next() (fn func(), is bool) {
	if !g.present {
		return nil, false
	}
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.posts) == 0 {
		return nil, false
	}
	slices.SortStableFunc(g.posts, post.before)
	one, rest := first(g.posts)
	g.posts = rest
	return one.fn, true
}

// sleep lets d pass and reports whether it did: a guest may post a step before.
func (g *guests) sleep(d time.Duration) (whole bool) {
	if !g.present {
		time.Sleep(d)
		return true
	}
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-g.wake:
		return false
	case <-timer.C:
		return true
	}
}

// Invite is the loop's, for a program of this host.
func (h *Host) Invite() { h.loop.Invite() }
