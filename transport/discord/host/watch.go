package host

import (
	"context"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/local"
)

// watchEvery is the time between two looks of Watch.
const watchEvery = 5 * time.Second

// Watch reports of each shard what waits for the bot, and whether it is deaf, until ctx ends.
func (h *Host) Watch(ctx context.Context) {
	each := time.NewTicker(watchEvery)
	defer each.Stop()
	ears := ears{}
	if h.cfg.Grows != nil {
		h.cfg.Grows(h.budget.most)
	}
	for {
		select {
		case <-each.C:
			h.look(ears)
		case <-ctx.Done():
			return
		}
	}
}

// look looks at every shard once.
func (h *Host) look(ears ears) {
	all := map[int]sound{}
	for id, s := range h.shards {
		all[id] = sound{ready: s.ready.Load(), events: s.heard.Load()}
	}
	deaf := ears.step(all)
	kept := map[int]messages.HostMemory{}
	for id, s := range h.shards {
		events, age, memory := 0, time.Duration(0), messages.HostMemory{EventsMax: int64(h.budget.ring)}
		h.server.With(id, func(sh *local.Shard, now time.Time) {
			sh.Limit(h.budget.ring)
			var since time.Time
			if events, since = sh.Waiting(); events > 0 {
				age = max(0, now.Sub(since))
			}
			guilds, ring := sh.Memory()
			memory.GuildsBytes, memory.EventsBytes = int64(guilds), int64(ring)
		})
		kept[id] = memory
		if of := s.sdk.Load(); of != nil {
			(*of).Memory(memory)
			(*of).Waiting(events, age, time.Duration(deaf[id])*watchEvery)
		}
	}
	h.spend(kept)
}
