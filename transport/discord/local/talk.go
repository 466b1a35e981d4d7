package local

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/discluster/control/transport/discord/splice"
)

// talk is a local session: one process of the bot, over any number of connections.
type talk struct {
	run       uint32
	k, cut    int64
	outlived  bool     // its process was the bot of our predecessor: what comes first may be its own
	guilds    []uint64 // those of READY's GUILD_CREATEs: k-1
	connected bool
	head      int64     // frames of READY and its guilds that were sent, up to k
	seq       int64     // Discord's sequence of the last event that was sent, at least cut
	resumed   int64     // RESUMED comes behind this sequence; below 0: none is due
	suspect   int64     // the last suspect that was sent
	until     time.Time // its acknowledgement is not waited for longer
	batch     int       // suspects that were sent and are not acknowledged
	window    int       // as many may be
	probe     time.Time // when a heartbeat is asked for next
	opening   int64     // Discord's sequence of the last guild of READY that is still in the ring
	asked     int64     // the acknowledgement of this sequence is waited for
	again     time.Time // when it is asked for next
	pause     time.Duration
	settled   bool // READY and its guilds are acknowledged
	owed      int  // heartbeats that were asked for and did not come
}

// started reports whether READY and its guilds were sent.
func (t *talk) started() bool { return t.head == t.k }

// local is the number of Discord's sequence in the local session.
func (t *talk) local(seq int64) int64 { return t.k + seq - t.cut }

const (
	endsMax     = 3                    // connections that an event may end
	againFirst  = 5 * time.Millisecond // an answer may be one event behind: discord.js counts late
	againMax    = 2 * time.Second
	suspectWait = 2 * time.Second         // for the acknowledgement of a suspect
	replyWithin = 2500 * time.Millisecond // Discord takes no answer to an interaction after 3 s
	fleeting    = 5 * time.Second         // what is of no use later
	// ackAfter lets a measuring library note when it sent its heartbeat: it does so in a thread, after
	// the write, and takes an earlier acknowledgement for one of the heartbeat before
	ackAfter = 20 * time.Millisecond
)

// Reason is why an event is not given to the bot.
type Reason string

// The reasons.
const (
	Poison Reason = "poison" // connections that got it ended unacknowledged, endsMax of them
	Late   Reason = "late"   // it is of no use any more
	Other  Reason = "other"  // it was for another process
)

// identity holds the fields of an IDENTIFY that Discord's session depends on.
type identity struct {
	Intents  int64           `json:"intents"`
	Presence json.RawMessage `json:"presence"`

	Properties struct {
		Browser string `json:"browser"`
	} `json:"properties"`
}

// measuring are libraries that take the time from their last own op 1 to our answer for the
// latency, and warn of lag: they are asked only where it matters, and what they answer is not
// acknowledged.
var measuring = []string{"discord.py", "pycord", "nextcord", "disnake"}

// Identify takes the bot's IDENTIFY, its "d". The error states what is wrong with it.
func (s *Shard) Identify(now time.Time, d []byte) error {
	var i identity
	if err := json.Unmarshal(d, &i); err != nil {
		return fmt.Errorf("read IDENTIFY: %w", err)
	}
	if i.Intents < 0 {
		return fmt.Errorf("IDENTIFY has intents %d", i.Intents)
	}
	s.talk, s.control, s.waits = nil, nil, false
	s.serves(slices.Contains(measuring, strings.ToLower(i.Properties.Browser)))
	s.acked = min(s.acked, s.received) // a process that was ahead is gone
	if i.Intents != s.intents {
		s.Lost()
		s.intents = i.Intents
		s.effects = append(s.effects, Identify{i.Intents, d})
	}
	if !splice.IsNull(i.Presence) {
		s.appear(i.Presence)
	}
	if s.session == "" {
		s.waits = true
		return nil
	}
	s.start(now)
	return nil
}

// serves notes the kind of the bot's library.
func (s *Shard) serves(measuring bool) {
	if s.probe, s.measures = s.cfg.Probe, measuring; measuring {
		s.probe = 0
	}
}

// start begins a local session as of what is acknowledged.
func (s *Shard) start(now time.Time) {
	s.waits = false
	s.runs++
	guilds := s.cache.Guilds()
	s.talk = &talk{
		run: s.runs, k: int64(len(guilds)) + 1, cut: s.acked, guilds: guilds, connected: true,
		seq: s.acked, resumed: -1, probe: now.Add(s.probe), opening: s.opening(),
	}
}

// opening returns the sequence of the last event in the ring that brings a guild of READY: the
// process before this one was ended while it began.
func (s *Shard) opening() (seq int64) {
	for _, e := range s.ring.events {
		if e.begins() && s.cache.Pending(splice.ID(splice.Get(e.data, "id"))) {
			seq = e.seq
		}
	}
	return seq
}

// begins reports whether an event is one of those that bring a session its guilds.
func (e *event) begins() bool { return e.kind == "GUILD_CREATE" || e.kind == "GUILD_DELETE" }

// Resume takes the bot's RESUME of a local session, and reports whether it can go on: not with a
// session that is not this one's, or of which the bot had not seen READY and all guilds.
func (s *Shard) Resume(now time.Time, id string, seq int64) bool {
	session, k, cut, ok := parseLocal(id)
	at := cut + seq - k
	if !ok || s.session == "" || session != s.session || seq < k || at < s.acked {
		return false
	}
	s.control = nil
	if s.talk == nil || s.talk.k != k || s.talk.cut != cut {
		s.runs++
		s.talk = &talk{run: s.runs, k: k, cut: cut, outlived: s.runs == 1}
		s.serves(strings.HasSuffix(id, measured))
	}
	t := s.talk
	t.connected, t.settled, t.head, t.seq, t.resumed = true, true, k, at, s.received
	t.suspect, t.probe, t.owed = 0, now.Add(s.probe), 0
	s.acknowledge(at)
	return true
}

// Begun reports whether the bot has a local session, or waits for one.
func (s *Shard) Begun() bool { return s.talk != nil || s.waits }

// Heartbeat takes the sequence of a heartbeat: the bot has handled everything up to it.
func (s *Shard) Heartbeat(seq int64) {
	t := s.talk
	if t == nil || !t.connected || !t.started() || seq < t.k {
		return
	}
	t.settled = true
	s.acknowledge(min(t.cut+seq-t.k, t.seq))
}

// Acknowledges returns how long after a heartbeat its acknowledgement is due, and false where none
// is sent: to a measuring library that was asked for it.
func (s *Shard) Acknowledges() (after time.Duration, yes bool) {
	switch {
	case !s.measures || s.talk == nil:
		return 0, true
	case s.talk.owed > 0:
		s.talk.owed--
		return 0, false
	}
	return ackAfter, true
}

// Settled reports whether the bot has handled READY and the guilds of it that Discord had sent by
// then.
func (s *Shard) Settled() bool {
	return s.talk != nil && s.talk.settled && s.acked >= s.talk.opening
}

// Handled reports whether the bot has handled all that it was sent, or is gone.
func (s *Shard) Handled() bool {
	t := s.talk
	return t == nil || !t.connected || t.settled && s.acked >= t.seq
}

// Hold keeps events back, but not READY and the guilds of it, until it is called with false: some
// libraries let events of one shard overtake the guilds of another.
func (s *Shard) Hold(on bool) { s.hold = on }

// Ask asks the bot for heartbeats until it has handled all that it was sent.
func (s *Shard) Ask() {
	if t := s.talk; t != nil && t.connected {
		t.asked, t.again, t.pause = t.seq, time.Time{}, againFirst
	}
}

// ask asks for the acknowledgement of an event, without haste if another is waited for already.
func (t *talk) ask(seq, acked int64) {
	if t.asked <= acked {
		t.again, t.pause = time.Time{}, againFirst
	}
	t.asked = seq
}

// awaits reports whether the bot is asked for an acknowledgement.
func (s *Shard) awaits() bool { return !s.talk.settled || s.talk.asked > s.acked }

// Ended notes that the bot's connection ended. If it was not our order, the events it was sent and
// did not acknowledge are suspects.
func (s *Shard) Ended(ordered bool) {
	s.control, s.waits = nil, false
	t := s.talk
	if t == nil || !t.connected {
		return
	}
	t.connected = false
	if ordered {
		return
	}
	s.ring.blame(t.seq, s.suspects)
}

// Died notes that the bot's process ended: its session is not resumed, and where it was in a voice
// channel it leaves.
func (s *Shard) Died(ordered bool) {
	s.Ended(ordered)
	s.talk = nil
	guilds := make([]uint64, 0, len(s.voice))
	for g := range s.voice {
		guilds = append(guilds, g)
	}
	slices.Sort(guilds)
	for _, g := range guilds {
		const left = `{"guild_id":"%d","channel_id":null,"self_mute":false,"self_deaf":false}`
		s.effects = append(s.effects, Send{opVoice, fmt.Appendf(nil, left, g)})
	}
}

// Next returns the next frame for the bot, false where there is none now. What it returned counts
// as sent.
func (s *Shard) Next(now time.Time) (Frame, bool) {
	s.sendHeld(now)
	if len(s.control) > 0 {
		f := s.control[0]
		s.control = s.control[1:]
		return f, true
	}
	t := s.talk
	switch {
	case t == nil || !t.connected:
		return Frame{}, false
	case !t.started():
		return s.nextOfStart(t), true
	case s.probe > 0 && !now.Before(t.probe):
		t.probe = now.Add(s.probe)
		return Frame{Op: OpHeartbeat}, true
	case s.awaits() && !now.Before(t.again):
		t.pause = max(t.pause, againFirst)
		t.again, t.pause = now.Add(t.pause), min(2*t.pause, againMax)
		t.owed++
		return Frame{Op: OpHeartbeat}, true
	}
	return s.nextEvent(now, t)
}

// nextOfStart returns READY, then the guilds. Behind the last the bot is asked for a heartbeat.
func (s *Shard) nextOfStart(t *talk) Frame {
	t.head++
	f := Frame{Kind: "READY", Seq: t.head}
	if t.head == 1 {
		f.Data = s.cache.Ready(localID(s.session, t.k, t.cut, s.measures), s.cfg.URL)
	} else {
		f.Kind, f.Data = s.cache.Guild(t.guilds[t.head-2])
	}
	if t.started() {
		s.Ask()
	}
	return f
}

// nextEvent returns the next event that is for this bot.
func (s *Shard) nextEvent(now time.Time, t *talk) (Frame, bool) {
	if !now.Before(t.until) {
		t.until = time.Time{} // Wake names it no more
	}
	if s.hold && t.seq >= t.opening {
		return Frame{}, false
	}
	for i := s.ring.after(t.seq); ; i++ {
		if t.resumed >= 0 && (i == len(s.ring.events) || s.ring.events[i].seq > t.resumed) {
			t.resumed = -1
			return Frame{Kind: "RESUMED", Seq: t.local(t.seq), Data: []byte("{}")}, true
		}
		if i == len(s.ring.events) {
			return Frame{}, false
		}
		e := &s.ring.events[i]
		if !s.may(now, t, e) {
			return Frame{}, false
		}
		t.seq = e.seq
		if why := e.refused(now, t); why != "" {
			s.effects = append(s.effects, Skipped{e.kind, e.seq, why})
			continue
		}
		if e.run = t.run; e.ends > 0 {
			t.suspect, t.until = e.seq, now.Add(suspectWait)
			if t.batch++; e.ends == endsMax-1 {
				t.batch = t.window
			}
			t.ask(e.seq, s.acked)
		} else if e.begins() {
			t.ask(e.seq, s.acked) // the next process need not be given these one by one
		}
		return Frame{Kind: e.kind, Seq: t.local(e.seq), Data: e.data}, true
	}
}

// may reports whether an event may be sent now. Suspects go in batches, each twice as large as the
// one before and acknowledged before anything follows; one that was in such a batch goes alone. So
// three ends find the event that causes them, and no other is taken for it.
func (s *Shard) may(now time.Time, t *talk, e *event) bool {
	if t.suspect <= s.acked || !now.Before(t.until) {
		if t.batch >= t.window {
			t.window = max(1, 2*t.window)
		}
		t.batch = 0
		return true
	}
	return t.batch < t.window && e.ends > 0 && e.ends < endsMax-1
}

// refused returns why an event is not for a bot, "" if it is.
func (e *event) refused(now time.Time, t *talk) Reason {
	if e.ends >= endsMax {
		return Poison
	}
	others := e.came != t.run && !(t.outlived && e.came == 0)
	age := now.Sub(e.at)
	switch e.kind {
	case "INTERACTION_CREATE": // a second answer fails
		switch {
		case e.run != 0 && e.run != t.run:
			return Other
		case age > replyWithin:
			return Late
		}
	case "TYPING_START", "VOICE_CHANNEL_EFFECT_SEND":
		if age > fleeting {
			return Late
		}
	case "GUILD_MEMBERS_CHUNK", "SOUNDBOARD_SOUNDS", "CHANNEL_INFO", "RATE_LIMITED", // answers
		"VOICE_SERVER_UPDATE": // of a channel that the bot has left
		if others {
			return Other
		}
	case "VOICE_STATE_UPDATE":
		if e.own && others {
			return Other
		}
	}
	return ""
}

// Wake returns when Next may return more than now, though nothing happens; zero: never.
func (s *Shard) Wake() time.Time {
	t := s.talk
	if t == nil || !t.connected || !t.started() {
		return time.Time{}
	}
	var at time.Time
	if t.suspect > s.acked {
		at = t.until // zero once it has passed
	}
	if s.probe > 0 && (at.IsZero() || t.probe.Before(at)) {
		at = t.probe
	}
	if s.awaits() && (at.IsZero() || t.again.Before(at)) {
		at = t.again
	}
	if held := s.heldUntil(); !held.IsZero() && (at.IsZero() || held.Before(at)) {
		at = held
	}
	return at
}
