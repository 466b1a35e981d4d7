package host

import (
	"fmt"
	"sync"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/local"
)

// trouble logs and reports a trouble of a shard; below 0: of no single one.
func (h *Host) trouble(shard int, m messages.ChildTrouble) {
	if shard >= 0 {
		m.Shard = &shard
	}
	switch {
	case m.Over:
		h.cfg.Log.Info("trouble is over", "kind", string(m.Kind))
	default:
		h.cfg.Log.Warn("trouble", "kind", string(m.Kind), "shard", shard, "err", m.Err)
	}
	if h.cfg.Trouble != nil {
		h.cfg.Trouble(m)
	}
}

// dropped reports events that no bot gets.
func (h *Host) dropped(shard int, e local.Dropped) {
	err := fmt.Sprintf("%d events that waited for the bot were dropped, since they took all the memory that they may; a bot that is connected starts over", e.Events)
	if e.Lost {
		err = fmt.Sprintf("Discord ended the session while %d events waited for the bot", e.Events)
	}
	h.trouble(shard, messages.ChildTrouble{Kind: messages.TroubleDropped, Events: e.Events, Err: err})
}

// refused reports a connection that was closed for what the bot did.
func (h *Host) refused(shard, code int, reason string) {
	if h.floods.passes(time.Now()) {
		h.trouble(shard, messages.ChildTrouble{Kind: messages.TroubleRefused, CloseCode: code, Err: reason})
	}
}

// floods limits the reports that anyone who connects can cause.
type floods struct {
	mu   sync.Mutex
	left int
	at   time.Time // when left was filled up
}

const (
	floodMax    = 20 // reports
	floodWithin = time.Minute
)

// passes reports whether one more may be reported.
func (f *floods) passes(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.at) >= floodWithin {
		f.left, f.at = floodMax, now
	}
	f.left--
	return f.left >= 0
}

// unkept holds the shards whose snapshot could not be written.
type unkept struct {
	mu     sync.Mutex
	shards map[int]bool
}

// now takes the result of a write, and returns whether to report it: the first error of all
// shards, and the end of the last one.
func (u *unkept) now(shard int, err error) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.shards == nil {
		u.shards = map[int]bool{}
	}
	before := len(u.shards)
	if err != nil {
		u.shards[shard] = true
	} else {
		delete(u.shards, shard)
	}
	return before == 0 != (len(u.shards) == 0)
}

// kept reports what unkept found.
func (h *Host) kept(shard int, err error) {
	if err == nil {
		h.trouble(-1, messages.ChildTrouble{Kind: messages.TroubleUnkept, Over: true})
		return
	}
	h.trouble(shard, messages.ChildTrouble{Kind: messages.TroubleUnkept, Err: "sessions and guilds cannot be written: " + err.Error()})
}
