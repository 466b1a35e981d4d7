package host

import (
	"fmt"

	"github.com/discluster/control/messages"
)

// Shares of the memory.
const (
	memoryEach = 32 << 20 // bytes of a shard's guilds and events, by default
	ringMin    = 4 << 20  // bytes of a shard's events, however much its guilds take: a few chunks of members
)

// budget divides the memory of a cluster: its guilds take what they need, since a bot must be given
// them all, and what they leave is for the waiting events, an equal share for each shard, so that
// no shard takes it from another. Each shard keeps ringMin.
type budget struct {
	most   int // bytes of all
	shards int

	ring int  // bytes of a shard's events
	over bool // the guilds leave less than ringMin
}

// share divides what the guilds leave, and reports whether over has changed. It ends when a tenth
// is left, so that it does not come and go.
func (b *budget) share(guilds int) (changed bool) {
	n := max(1, b.shards)
	left := b.most - guilds
	b.ring = max(ringMin, left/n)
	was := b.over
	b.over = left < n*ringMin || was && left < n*ringMin+b.most/10
	return b.over != was
}

// spend reports what each shard keeps, and divides the memory again.
func (h *Host) spend(kept map[int]messages.HostMemory) {
	guilds := 0
	for _, m := range kept {
		guilds += int(m.GuildsBytes)
	}
	before := h.budget.ring
	if h.budget.share(guilds) {
		m := messages.ChildTrouble{Kind: messages.TroubleMemory, Over: !h.budget.over}
		if h.budget.over {
			m.Err = fmt.Sprintf("the guilds take %d MiB of the %d MiB that guilds and waiting events may take; they are kept, and %d MiB a shard is left for events", guilds>>20, h.budget.most>>20, ringMin>>20)
		}
		h.trouble(-1, m)
	}
	if ring := h.budget.ring; ring != before && h.cfg.Grows != nil {
		h.cfg.Grows(guilds + len(h.shards)*ring)
	}
}
