package master

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/master/fleet"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// Sessions keeps the last session of every shard, as reported by the machine that has the shard
// (PROTOCOL B1, op 11). The order that grants a range carries its sessions.
type Sessions struct {
	world.States
	shards  []kept             // by shard
	origins map[origin]*origin // one value for all shards of an origin
	snapshots
}

// kept is the session of one shard. A fleet has many, of few origins.
type kept struct {
	owner  string // source of the machine that has the shard; "": none, and any may report
	source string // of the machine that reported the session last
	id     string // "": none
	seq    int64
	at     messages.UnixMillis
	origin *origin
}

// origin holds what the sessions of one start have in common.
type origin struct {
	url, user, application string
	intents                int64
	count                  int
}

// originsMax bounds the origins: a bot has a handful.
const originsMax = 10_000

// shardsMax bounds the shards of a fleet, as the link does.
const shardsMax = 1_000_000

// Messages from the fleet and its machines.
type (
	// moved holds the sessions that a machine reports.
	moved struct {
		source string
		packet messages.SessionsMoved
	}
	// order holds an order for a machine. A connect gets its sessions here.
	order struct {
		machine *actor.PID
		packet  messages.FromMaster
		bare    bool // the machine has them itself
	}
)

func newSessions(w *world.World) *actor.Props {
	return w.Spawn("sessions", func() actor.Actor {
		s := &Sessions{origins: map[origin]*origin{}, snapshots: newSnapshots()}
		s.Begin(w, w.Log.With().Str("actor", "sessions").Logger(), "keeping", s.keeping)
		return s
	})
}

func (s *Sessions) keeping(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case moved:
		for _, one := range m.packet.Sessions {
			s.keep(m.source, one)
		}
		for _, shard := range m.packet.Gone {
			if k := s.of(shard); k != nil && k.mayReport(m.source) {
				k.id = ""
			}
		}
	case fleet.Own:
		for shard := m.Shards.First; shard <= m.Shards.Last; shard++ {
			if k := s.of(shard); k != nil {
				k.owner = m.Source
			}
		}
	case order:
		if c, is := m.packet.(messages.Connect); is && c.Range != nil && !m.bare {
			c.Sessions = s.in(*c.Range)
			m.packet = c
		}
		ctx.Send(m.machine, deliver{packet: m.packet})
	case carries:
		s.carry(ctx, m)
	case snapshotAsked:
		s.askFor(ctx, m)
	case snapshotCame:
		s.pass(ctx, m)
	default:
		s.Unexpected(ctx)
	}
}

// mayReport reports whether a machine may report a shard.
func (k *kept) mayReport(source string) bool { return k.owner == source || k.owner == "" }

// of returns what is known of a shard, nil for one that cannot exist.
func (s *Sessions) of(shard int) *kept {
	if shard < 0 || shard >= shardsMax {
		return nil
	}
	if shard >= len(s.shards) {
		s.shards = append(s.shards, make([]kept, shard+1-len(s.shards))...)
	}
	return &s.shards[shard]
}

// keep takes a machine's report of one session. A report older than what is known changes nothing.
func (s *Sessions) keep(source string, one messages.Session) {
	k := s.of(one.Shard)
	if k == nil || !k.mayReport(source) || k.id == one.SessionID && one.Seq < k.seq {
		return
	}
	if k.id != one.SessionID || one.ResumeGatewayURL != "" {
		k.origin = s.origin(origin{one.ResumeGatewayURL, one.UserID, one.ApplicationID, one.Intents, one.ShardCount})
	}
	if k.id != one.SessionID {
		k.id = one.SessionID
	}
	k.seq, k.at, k.source = one.Seq, one.At, source
}

func (s *Sessions) origin(o origin) *origin {
	if known := s.origins[o]; known != nil {
		return known
	}
	if len(s.origins) >= originsMax { // those in use stay in their shards
		clear(s.origins)
	}
	s.origins[o] = &o
	return &o
}

// in returns every session of a range.
func (s *Sessions) in(r messages.ShardRange) []messages.Session {
	var all []messages.Session
	for shard := r.First; shard <= min(r.Last, len(s.shards)-1); shard++ {
		k := &s.shards[shard]
		if k.id == "" {
			continue
		}
		all = append(all, messages.Session{Shard: shard, ShardCount: k.origin.count, SessionID: k.id, Seq: k.seq, ResumeGatewayURL: k.origin.url, At: k.at,
			Intents: k.origin.intents, UserID: k.origin.user, ApplicationID: k.origin.application})
	}
	return all
}
