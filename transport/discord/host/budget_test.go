package host

import (
	"testing"

	"github.com/discluster/control/messages"
)

// The guilds take what they need, and the events an equal share of the rest.
func TestShare(t *testing.T) {
	const mib = 1 << 20
	b := budget{most: 100 * mib, shards: 4}
	for i, step := range []struct {
		guilds, ring  int
		over, changed bool
	}{
		{0, 25 * mib, false, false},
		{60 * mib, 10 * mib, false, false},
		{84 * mib, 4 * mib, false, false},
		{85 * mib, 4 * mib, true, true},
		{300 * mib, 4 * mib, true, false},
		{80 * mib, 5 * mib, true, false}, // less than a tenth is left
		{70 * mib, 15 * mib / 2, false, true},
	} {
		if changed := b.share(step.guilds); changed != step.changed || b.over != step.over || b.ring != step.ring {
			t.Errorf("step %d: %d bytes of events, over %v (changed: %v); want %+v", i, b.ring, b.over, changed, step)
		}
	}
}

// The memory of a cluster is divided again with each look, and reported; guilds that take too much
// of it are kept.
func TestMemory(t *testing.T) {
	st := newStage(t, 200)
	h := st.host()
	b := st.bot(h, 513)
	grown := 0
	h.cfg.Grows = func(n int) { grown = n }
	look := func() messages.HostMemory {
		h.look(ears{})
		st.sdk.mu.Lock()
		defer st.sdk.mu.Unlock()
		return st.sdk.memory
	}
	var m messages.HostMemory
	b.until(func() bool {
		m = look()
		return len(b.guilds) == 3 && m.GuildsBytes > 0 && m.EventsBytes > 2000
	})
	if want := look(); want.EventsMax > memoryEach || want.EventsMax < memoryEach-1<<20 || grown < memoryEach-1<<20 || grown > memoryEach {
		t.Errorf("%+v, %d bytes in all", want, grown)
	}
	h.budget.most = 1000
	look()
	if got := st.troubled(messages.TroubleMemory); got.Over || got.Shard != nil || got.Err != "the guilds take 0 MiB of the 0 MiB that guilds and waiting events may take; they are kept, and 4 MiB a shard is left for events" {
		t.Errorf("reported as %+v", got)
	}
	if m := look(); m.EventsMax != ringMin || m.GuildsBytes == 0 || grown < ringMin || grown > ringMin+1<<20 {
		t.Errorf("%+v, %d bytes in all", m, grown)
	}
	b.reads(len(b.numbers) + 20)
	h.budget.most = 100 << 20
	look()
	if got := st.troubled(messages.TroubleMemory); !got.Over {
		t.Errorf("reported as %+v", got)
	}
	b.dies(h)
	h.kill()
	<-h.done
	_ = h.Close()
}
