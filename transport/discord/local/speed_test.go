package local

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// through returns a function that passes n events of 2 KiB to a bot that only counts bytes, and
// waits until they are there.
func through(tb testing.TB) func(n int) {
	s := serve(tb, func(c *ServerConfig) { c.Each.Ring = 64 << 20 })
	b := dial(tb, s.URL())
	b.identify()
	take(tb, s.effects)
	s.ready()
	for f := (struct {
		T  string
		Op int
	}{}); f.Op != opACK; { // that all is handled: no more questions come
		if f.T == "TICK" {
			b.send(`{"op":1,"d":3}`)
		}
		if f.T = ""; b.text.Decode(&f) != nil {
			tb.Fatal("the connection ended")
		}
	}
	d := fmt.Appendf(nil, `{"id":"9000","channel_id":"2","content":%q,"guild_id":"1"}`, strings.Repeat("x", 2000))
	seq := int64(3)
	frame := 4 + len(Frame{Kind: "MESSAGE_CREATE", Data: d}.append(nil)) - len("0") // and the sequence's digits
	var want int64
	var got atomic.Int64
	arrived := make(chan struct{}, 1)
	conn := b.ws.NetConn()
	_ = conn.SetReadDeadline(time.Time{})
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := conn.Read(buf)
			got.Add(int64(n))
			select {
			case arrived <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	return func(n int) {
		for range n {
			seq++
			want += int64(frame + digits(seq))
			s.With(2, func(sh *Shard, now time.Time) {
				sh.Dispatch(now, seq, "MESSAGE_CREATE", d)
				if seq%100 == 0 {
					sh.Heartbeat(seq - 100)
				}
			})
		}
		for got.Load() < want {
			select {
			case <-arrived:
			case <-time.After(patience):
				tb.Fatalf("%d of %d bytes arrived", got.Load(), want)
			}
		}
	}
}

func digits(n int64) (d int) {
	for ; n > 0; n /= 10 {
		d++
	}
	return d
}

// TestServeAllocates: an event costs no allocation of its own on its way to the bot's socket.
func TestServeAllocates(t *testing.T) {
	pass := through(t)
	pass(1000)
	const n = 2000
	if each := testing.AllocsPerRun(3, func() { pass(n) }) / n; each > 0.5 {
		t.Errorf("%.1f allocations an event", each)
	}
}

// BenchmarkServe passes events of 2 KiB to a bot over loopback.
func BenchmarkServe(b *testing.B) {
	pass := through(b)
	b.ReportAllocs()
	b.SetBytes(2048)
	b.ResetTimer()
	for left := b.N; left > 0; left -= 1000 {
		pass(min(left, 1000))
	}
}
