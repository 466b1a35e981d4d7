package host

import (
	"testing"
	"time"
)

// A bot that handles fewer events than come answers pings late, since they come behind events. It
// does not hang: it lags, and starts over once the events that wait take too much.
func TestSlowBot(t *testing.T) {
	st := newStage(t, 1000)
	st.ping = time.Second
	h := st.host()
	b := st.bot(h, 513)
	b.reads(1)
	each, look := time.NewTicker(10*time.Millisecond), time.NewTicker(time.Second)
	defer each.Stop()
	defer look.Stop()
	for range 6 {
		for looked := false; !looked; {
			select {
			case now := <-look.C:
				if looked = true; h.Hung(now) {
					t.Fatal("a slow bot hangs")
				}
			case <-each.C:
				if err := b.frame(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	h.ends(b)
}
