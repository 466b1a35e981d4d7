package local

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// forward returns a function that takes one event of 2 KiB from Discord to the bot. Every hundredth
// is acknowledged.
func forward(tb testing.TB) func() {
	s, now := New(Config{Ring: 1 << 20}), time.Unix(1_700_000_000, 0)
	if err := s.Identify(now, []byte(`{"intents":1}`)); err != nil {
		tb.Fatal(err)
	}
	s.Dispatch(now, 1, "READY", readyOf("s"))
	s.Dispatch(now, 2, "GUILD_CREATE", []byte(`{"id":"1","channels":[{"id":"2"}]}`))
	for ok := true; ok; {
		_, ok = s.Next(now)
	}
	d := fmt.Appendf(nil, `{"id":"9000","channel_id":"2","content":%q,"guild_id":"1"}`, strings.Repeat("x", 2000))
	seq := int64(2)
	return func() {
		seq++
		s.Dispatch(now, seq, "MESSAGE_CREATE", d)
		if f, ok := s.Next(now); !ok || f.Seq != seq {
			tb.Fatalf("frame %d %v, want %d", f.Seq, ok, seq)
		}
		if seq%100 == 0 {
			s.Heartbeat(seq)
		}
	}
}

// TestForwardAllocates: an event costs no allocation of its own here.
func TestForwardAllocates(t *testing.T) {
	if n := testing.AllocsPerRun(10_000, forward(t)); n > 0.5 {
		t.Errorf("%v allocations an event", n)
	}
}

func BenchmarkForward(b *testing.B) {
	one := forward(b)
	b.ReportAllocs()
	for b.Loop() {
		one()
	}
}
