package sim

import (
	"sync"
	"testing/synctest"
	"time"
)

// guests are programs of real code on goroutines of their own, in the same bubble. Between two
// steps of the loop they run until they wait, and each of their effects is a step. The runtime
// chooses the order of several that are awake, so a seed has several traces with guests.
type guests struct {
	mu      sync.Mutex
	present bool
	posts   []func()
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

// Post makes fn a step of the loop, in the order of the calls. It may be called from any goroutine.
func (l *Loop) Post(fn func()) {
	g := &l.guest
	g.mu.Lock()
	g.posts = append(g.posts, fn)
	g.mu.Unlock()
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// next returns the first posted step, after every guest waits.
func (g *guests) next() (post func(), is bool) {
	if !g.present {
		return nil, false
	}
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.posts) == 0 {
		return nil, false
	}
	post, g.posts = first(g.posts)
	return post, true
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

// Invite and Post are the loop's, for a program of this host.
func (h *Host) Invite() { h.loop.Invite() }

// Post makes fn a step of the loop.
func (h *Host) Post(fn func()) { h.loop.Post(fn) }
