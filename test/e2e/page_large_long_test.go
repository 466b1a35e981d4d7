//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

// Limits of a page with 10,000 shards, of which 500 a second change.
const (
	largeShards = 10_000
	largeRate   = 500 // events a second
	// The best one counts: a page that blocks does so in each, a busy machine in some.
	windows     = 3
	windowTakes = 4 * time.Second        // with three views at least
	taskMax     = 200 * time.Millisecond // of the page's thread, which handles no input in it
	heapMax     = 64 << 20
)

// Ten thousand tiles stay responsive to scrolling and keep their memory constant.
func TestPageLarge(t *testing.T) {
	b := browse(t)
	s, at := set(t, largeShards, admin.Options{})
	s.restless = true
	b.look(1280, 800, "light")
	b.do("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": `window.tasks = []; new PerformanceObserver((all) => tasks.push(...all.getEntries().map((e) => e.duration))).observe({ type: "longtask", buffered: true });`}, nil)
	longest := func() (task time.Duration) {
		var ms float64
		b.eval(`Math.max(0, ...tasks.splice(0))`, &ms)
		return time.Duration(ms * float64(time.Millisecond)).Round(time.Millisecond)
	}
	var starts, turns []time.Duration
	for range windows {
		b.open("http://" + at)
		b.until(`document.querySelectorAll("button.good").length === 10000`)
		starts = append(starts, longest())
	}
	b.shoot("page-10000")
	before := b.heap()

	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(time.Second / largeRate)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				s.turn(rand.IntN(largeShards), []messages.ShardState{messages.ShardReady, messages.ShardDisconnected, messages.ShardResuming}[rand.IntN(3)])
			case <-stop:
				return
			}
		}
	}()
	for range windows {
		b.eval(fmt.Sprintf(`new Promise((done) => {
			const scrolling = setInterval(() => scrollTo(0, Math.random() * document.body.scrollHeight), 200);
			setTimeout(() => done(clearInterval(scrolling)), %d);
		})`, windowTakes.Milliseconds()), nil)
		turns = append(turns, longest())
	}
	turned := b.text(`document.querySelectorAll(".tiles button:not(.good)").length`)
	close(stop)
	<-stopped
	after := b.heap()
	t.Logf("longest tasks, 0 for none of 50ms: of %d starts %v; in %d times %v with %d events a second %v", windows, starts, windows, windowTakes, largeRate, turns)
	t.Logf("%s tiles are not ready; heap %.1f MB, was %.1f MB", turned, float64(after)/1e6, float64(before)/1e6)
	if turned == "0" {
		t.Error("no tile turned")
	}
	if best := max(slices.Min(starts), slices.Min(turns)); best > taskMax {
		t.Errorf("the page is deaf for %v at a time, want no more than %v", best, taskMax)
	}
	if after > heapMax || after > before+before/2 {
		t.Errorf("a heap of %d bytes, was %d", after, before)
	}
	b.shoot("page-10000-turning")
}

// heap returns the size of the page's objects after a garbage collection.
func (b *browser) heap() (bytes int) {
	b.t.Helper()
	b.do("HeapProfiler.collectGarbage", nil, nil)
	var use struct{ UsedSize float64 }
	b.do("Runtime.getHeapUsage", nil, &use)
	return int(use.UsedSize)
}
