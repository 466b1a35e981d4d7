package host

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/local"
	"github.com/discluster/control/transport/discord/snapshot"
	"github.com/discluster/control/transport/discord/splice"
)

// begins notes a session, and reports whether it is new.
func (s *shard) begins(session messages.Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.guilds.Store(int64(len(session.Guilds)))
	if s.session.SessionID == session.SessionID {
		return false
	}
	s.session = session
	return true
}

// report reports a session to CONTROL, without its intents: this process declares none, as they are
// the bot's, and would not be offered a session of any. Those of the snapshot count.
func report(of Shard, session messages.Session) {
	session.Intents = 0
	of.SetSession(session)
}

// identifyFields are what the bot's IDENTIFY adds to ours: its presence of now, its threshold.
func (h *Host) identifyFields(s *shard, id local.Identify) map[string]json.RawMessage {
	fields := map[string]json.RawMessage{}
	if v := splice.Get(id.Data, "large_threshold"); v != nil {
		fields["large_threshold"] = v
	}
	h.server.With(s.id, func(sh *local.Shard, _ time.Time) {
		if p := sh.Presence(); p != nil {
			fields["presence"] = p
		}
	})
	return fields
}

// find asks Discord once for all shards. While one shard asks, others wait, but no look at the bot.
func (h *Host) find(ctx context.Context) (string, error) {
	select {
	case h.asking <- struct{}{}:
		defer func() { <-h.asking }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if h.gateway == "" {
		url, err := h.cfg.Gateway(ctx)
		if err != nil {
			return "", err
		}
		h.gateway = url
	}
	return h.gateway, nil
}

// keep commits a shard's session once a second, until the returned function is called: that commits
// for the last time.
func (h *Host) keep(s *shard, of Shard) (end func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		each := time.NewTicker(commitEvery)
		defer each.Stop()
		var last committed
		for {
			select {
			case <-each.C:
				h.commit(s, of, &last)
			case <-quit:
				h.commit(s, of, &last)
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-done
		h.server.With(s.id, func(*local.Shard, time.Time) { s.log.Close() })
	}
}

// committed holds what the log was given last.
type committed struct {
	snapshot.Commit
	suspects map[int64]uint8
}

func (c committed) is(other committed) bool {
	return c.Commit == other.Commit && maps.Equal(c.suspects, other.suspects)
}

// commit writes the progress of the session if it has changed since last, then reports it.
func (h *Host) commit(s *shard, of Shard, last *committed) {
	var at committed
	var err error
	h.server.With(s.id, func(sh *local.Shard, _ time.Time) {
		at.Session, at.Seq, at.Intents = sh.Session()
		if at.suspects = sh.Suspects(); !at.is(*last) {
			s.log.Suspects(at.suspects)
			err = s.log.Commit(at.Commit, sh.Cache())
		}
	})
	if at.is(*last) {
		return
	}
	if h.unkept.now(s.id, err) {
		h.kept(s.id, err)
	}
	if err != nil {
		return
	}
	*last = at
	s.mu.Lock()
	session := s.session
	s.mu.Unlock()
	if session.SessionID == at.Session && at.Session != "" {
		session.Seq, session.At = at.Seq, 0
		report(of, session)
	}
}

// BotBegan notes that a process of the bot was started. Events wait until it has the guilds of
// every shard whose session is there: some libraries let them overtake.
func (h *Host) BotBegan() {
	ctx, cancel := context.WithTimeout(context.Background(), holdMax)
	h.mu.Lock()
	h.holding()
	h.holding = cancel
	h.mu.Unlock()
	var held []int
	for id := range h.shards {
		h.server.With(id, func(sh *local.Shard, _ time.Time) {
			if session, _, _ := sh.Session(); session != "" {
				held = append(held, id)
				sh.Hold(true)
			}
		})
	}
	go func() {
		defer cancel()
		look := time.NewTicker(holdLook)
		defer look.Stop()
		for waiting := true; waiting && ctx.Err() == nil; {
			select {
			case <-look.C:
			case <-ctx.Done():
			}
			waiting = false
			for _, id := range held {
				h.server.With(id, func(sh *local.Shard, _ time.Time) { waiting = waiting || !sh.Settled() })
			}
		}
		if errors.Is(ctx.Err(), context.Canceled) { // the next process is held by its own
			return
		}
		for _, id := range held {
			h.server.With(id, func(sh *local.Shard, _ time.Time) { sh.Hold(false) })
		}
	}()
}

// BotEnded notes that the bot's process has ended. If that was ordered, no event is suspected.
func (h *Host) BotEnded(ordered bool) {
	h.mu.Lock()
	h.holding()
	h.mu.Unlock()
	h.server.Died(ordered)
}

// Quiet sends the bot no more events, and waits until it has handled those it was sent, or for ctx:
// a process that is then stopped leaves none to be sent twice.
func (h *Host) Quiet(ctx context.Context) {
	h.mu.Lock()
	h.holding()
	h.mu.Unlock()
	for id := range h.shards {
		h.server.With(id, func(sh *local.Shard, _ time.Time) {
			sh.Hold(true)
			sh.Ask()
		})
	}
	look := time.NewTicker(quietLook)
	defer look.Stop()
	for !h.all((*local.Shard).Handled) {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// GoesOn reports whether a session goes on: a bot has used it. It counts after Begun.
func (h *Host) GoesOn() (goesOn bool) {
	for id := range h.shards {
		h.server.With(id, func(sh *local.Shard, _ time.Time) {
			session, _, _ := sh.Session()
			goesOn = goesOn || session != ""
		})
	}
	return goesOn
}

// Connected reports whether the bot has a connection of any shard.
func (h *Host) Connected() bool {
	for id := range h.shards {
		if _, connected := h.server.Heard(id); connected {
			return true
		}
	}
	return false
}

// Settled reports whether the bot has handled READY and its guilds on every shard.
func (h *Host) Settled() bool { return h.all((*local.Shard).Settled) }

// all reports whether something is true of every shard.
func (h *Host) all(is func(*local.Shard) bool) bool {
	yes := true
	for id := range h.shards {
		h.server.With(id, func(sh *local.Shard, _ time.Time) { yes = yes && is(sh) })
	}
	return yes
}

// Hung reports whether the bot's process hangs: it has connections and has answered no ping of one
// for 10 s. Call it every second: a late call proves that this process was suspended itself, and
// the 10 s begin again.
func (h *Host) Hung(now time.Time) bool {
	h.mu.Lock()
	if now.Sub(h.looked) > time.Second+stallAllowed {
		h.awake = now
	}
	h.looked = now
	awake := h.awake
	h.mu.Unlock()
	if now.Sub(awake) <= h.cfg.silent {
		return false
	}
	for id := range h.shards {
		if at, connected := h.server.Heard(id); connected && now.Sub(at) > h.cfg.silent {
			return true
		}
	}
	return false
}

// Stop ends every Serve. It is called once.
func (h *Host) Stop(s Stop) {
	h.stop = s
	close(h.stopping)
}

// Close ends the gateway, after every Serve has returned.
func (h *Host) Close() error { return h.server.Close() }
