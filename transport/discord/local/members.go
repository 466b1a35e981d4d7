package local

import (
	"time"

	"github.com/discluster/control/transport/discord/splice"
)

// wholeEvery is the time between two requests for all members of one guild: Discord answers one in
// 30 s (Discord docs, Request Guild Members), by the arrival of the requests.
const wholeEvery = 31 * time.Second

// wholeMax limits the guilds whose last request is kept: those of a shard (Discord docs, Sharding).
const wholeMax = 2500

// heldMax bounds the bytes of a request that is held back: none for all members is as long.
const heldMax = 512

// whole is the last request for all members of one guild.
type whole struct {
	run uint32    // the local session that has it
	due time.Time // when Discord answers another
}

// heldRequest is a request for all members that waits for its time.
type heldRequest struct {
	guild uint64
	run   uint32
	data  []byte
}

// holdsBack reports whether a request for members waits, as Discord would not answer it now: many
// bots ask for all members at their start, and cannot know what the process before them asked. One
// that asks twice itself gets Discord's answer to that.
func (s *Shard) holdsBack(now time.Time, d []byte) bool {
	guild := wholeGuild(d)
	if guild == 0 || s.talk == nil {
		return false
	}
	for g, w := range s.whole {
		if !now.Before(w.due) {
			delete(s.whole, g)
		}
	}
	last, known := s.whole[guild]
	if !known && len(s.whole) >= wholeMax || len(d) > heldMax {
		return false
	}
	if last.run == s.talk.run || !now.Before(last.due) {
		s.whole[guild] = whole{s.talk.run, now.Add(wholeEvery)}
		return false
	}
	s.whole[guild] = whole{s.talk.run, last.due}
	s.held = append(s.held, heldRequest{guild, s.talk.run, d})
	return true
}

// wholeGuild returns the guild of which an op 8 asks for all members; 0: it asks for others.
func wholeGuild(d []byte) uint64 {
	query, limit := splice.Get(d, "query"), splice.Get(d, "limit")
	if string(query) != `""` || len(limit) > 0 && string(limit) != "0" || !splice.IsNull(splice.Get(d, "user_ids")) {
		return 0
	}
	guild := splice.Get(d, "guild_id")
	for one := range splice.Items(guild) { // a list of one
		guild = one
	}
	if n, ok := splice.Int(guild); ok { // discord.py's ids are numbers
		return uint64(max(n, 0))
	}
	return splice.ID(guild)
}

// sendHeld sends the requests whose time has come, and forgets those of sessions that are over.
func (s *Shard) sendHeld(now time.Time) {
	rest := s.held[:0]
	for _, h := range s.held {
		switch {
		case s.talk == nil || h.run != s.talk.run:
		case now.Before(s.whole[h.guild].due):
			rest = append(rest, h)
		default:
			s.whole[h.guild] = whole{h.run, now.Add(wholeEvery)}
			s.effects = append(s.effects, Send{opMembers, h.data})
		}
	}
	s.held = rest
}

// heldUntil returns when the first request that waits is due; zero: none waits.
func (s *Shard) heldUntil() (at time.Time) {
	for _, h := range s.held {
		if due := s.whole[h.guild].due; at.IsZero() || due.Before(at) {
			at = due
		}
	}
	return at
}
