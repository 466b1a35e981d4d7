package host

import (
	"testing"
	"time"
)

// TestWaiting: what the bot has not acknowledged waits.
func TestWaiting(t *testing.T) {
	st := newStage(t, 200)
	h := st.host()
	b := st.bot(h, 513)
	look := func() (events int, oldest time.Duration) {
		h.look(ears{})
		st.sdk.mu.Lock()
		defer st.sdk.mu.Unlock()
		return st.sdk.waiting, st.sdk.oldest
	}
	waiting := 0
	b.until(func() bool { // 200 a second come
		events, oldest := look()
		waiting = events
		return events >= 10 && oldest >= 10*time.Millisecond
	})
	b.send(`{"op":1,"d":%d}`, b.seq)
	b.until(func() bool {
		events, _ := look()
		return events < waiting
	})
	if !h.shards[0].ready.Load() || h.shards[0].heard.Load() < 10 {
		t.Errorf("READY: %v, %d events heard", h.shards[0].ready.Load(), h.shards[0].heard.Load())
	}
	b.dies(h)
	h.kill()
	<-h.done
	h.look(ears{}) // a shard that is not served reports nothing
	_ = h.Close()
}

// TestDeafIsReported: with the time since the last event.
func TestDeafIsReported(t *testing.T) {
	st := newStage(t, 0)
	h := st.host()
	b := st.bot(h, 513)
	b.until(func() bool { return len(b.guilds) == 3 })
	heard := h.shards[0].heard.Load()
	look := func() time.Duration {
		h.look(ears{0: {events: heard, looks: habitLooks, active: habitLooks, silent: 60, missed: deafAfter}})
		st.sdk.mu.Lock()
		defer st.sdk.mu.Unlock()
		return st.sdk.deaf
	}
	if deaf := look(); deaf != 61*watchEvery {
		t.Errorf("deaf for %v, want %v", deaf, 61*watchEvery)
	}
	if heard--; look() != 0 {
		t.Error("a shard with an event since the last look is deaf")
	}
	b.dies(h)
	h.kill()
	<-h.done
	_ = h.Close()
}
