package host

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/discluster/control/transport/discord/snapshot"
)

// TestStaleSnapshot: a snapshot that is behind what was reported of its session was another host's
// since. The events in between are not given to a bot again.
func TestStaleSnapshot(t *testing.T) {
	st := newStage(t, 200)
	path := filepath.Join(st.dir, snapshot.File(0))
	var stale []byte
	for i := range 3 {
		if i == 2 { // as on a machine that had the shard two hosts ago
			if err := os.WriteFile(path, stale, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		h := st.host()
		b := st.bot(h, 513)
		b.reads(20)
		b.send(`{"op":1,"d":%d}`, b.seq)
		b.reads(25) // behind the acknowledgement
		b.dies(h)
		h.Stop(Stop{Deadline: time.Now().Add(time.Second)})
		<-h.done
		_ = h.Close()
		if i == 0 {
			var err error
			if stale, err = os.ReadFile(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	if score := st.discord.Score(); score.Identifies != 2 {
		t.Errorf("Discord saw %d IDENTIFYs: want one more for the snapshot that is stale", score.Identifies)
	}
}

// TestReportsAcknowledged: what a resumed session brings is not reported as handled before a bot
// has acknowledged it.
func TestReportsAcknowledged(t *testing.T) {
	st := newStage(t, 200)
	h := st.host()
	b := st.bot(h, 513)
	b.reads(3)
	b.dies(h)
	h.kill()
	<-h.done
	_ = h.Close()
	before := st.sdk.Session().Seq
	for len(st.sdk.events) > 0 {
		<-st.sdk.events
	}
	h = st.host()
	for n := range st.sdk.events {
		if n > 20 {
			break
		}
	}
	h.kill()
	<-h.done
	_ = h.Close()
	if now := st.sdk.Session().Seq; now != before {
		t.Errorf("sequence %d is reported, and no bot was there since %d", now, before)
	}
}
