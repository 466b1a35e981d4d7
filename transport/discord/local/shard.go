// Package local is the gateway that a bot speaks to in place of Discord's: it keeps one
// session of Discord while processes of the bot come and go, so that a new process gets READY and
// its guilds although the session was only resumed. Shard decides; it is a value without clock,
// goroutine or socket.
//
//	Discord ── events ──▶ ring: received, not acknowledged ── acknowledged ──▶ cache
//	                        │                                                   │
//	                        └── later events ──▶ bot ◀── READY, GUILD_CREATEs ──┘
//
// What counts as delivered is what the bot acknowledges by the sequence in its heartbeats, not what
// was written to its socket. The cache is that far and no further, so the next process begins where
// the last one was known to be, and gets the rest from the ring as ordinary events: each at least
// once, in order, and again only those between the last acknowledgement and the death.
//
// A local session numbers READY 1, the guilds 2 to k, and the event of Discord's sequence cut+n as
// k+n. Its id is <Discord's session>-<k>-<cut>, so that the next process of the host can resume it,
// from Discord's session alone; an m behind it names a measuring library.
package local

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/discluster/control/transport/discord/cache"
	"github.com/discluster/control/transport/discord/splice"
)

// Config is one shard's.
type Config struct {
	URL  string // resume_gateway_url, where the bot finds this gateway
	Ring int    // bytes of events that may wait for the bot's acknowledgement, until Limit
	// Changed reports, in order, each event that has changed the cache.
	Changed func(kind string, d []byte)
	Probe   time.Duration // between two heartbeats asked of the bot (op 1); 0: asks rarely
}

// Opcodes of the gateway (Discord docs, Gateway Opcodes) that a Frame has.
const (
	OpDispatch       = 0
	OpHeartbeat      = 1
	OpInvalidSession = 9
)

// Frame is one frame for the bot.
type Frame struct {
	Op   int
	Kind string // of a dispatch
	Seq  int64  // of a dispatch
	Data []byte // JSON of "d"; nil: null
}

// Effect is an action of a step beyond frames for the bot: one of the types below that have
// effect().
type Effect interface{ effect() }

// Identify asks for a new session of Discord: the bot identified, and there is none with these
// intents. The previous session, if any, must be closed.
type Identify struct {
	Intents int64
	Data    []byte // the bot's own IDENTIFY, "d"
}

// Send asks to send a frame to Discord.
type Send struct {
	Op   int
	Data []byte
}

// Skipped reports an event that the bot is not given.
type Skipped struct {
	Kind string
	Seq  int64 // Discord's
	Why  Reason
}

// Dropped reports events that the bot was never given and never will be: more waited than the ring
// holds, or (Lost) Discord's session was lost. A bot that is connected starts over, at no identify.
// Its guilds come with READY and are not counted.
type Dropped struct {
	Events int
	Lost   bool
}

func (Identify) effect() {}
func (Send) effect()     {}
func (Skipped) effect()  {}
func (Dropped) effect()  {}

// Shard is one shard's gateway. Its methods are called one at a time, with times that never go
// back.
type Shard struct {
	cfg     Config
	effects []Effect

	// Discord's side.
	session  string // "": there is none
	intents  int64  // of the session, or of the one that was asked for; below 0: none was
	received int64  // sequence of the last event
	acked    int64  // sequence of the last event that the bot has acknowledged
	cache    cache.Cache
	ring     ring
	suspects map[int64]uint8 // by sequence: the ends of events that are not acknowledged
	replays  bool            // see Replays
	voice    map[uint64]bool // guilds where the bot is in a voice channel
	presence []byte          // "d" of the last op 3
	whole    map[uint64]whole
	held     []heldRequest

	// The bot's side.
	probe    time.Duration // Config.Probe, or 0 for a library that had better not be asked
	measures bool          // its library is a measuring one
	runs     uint32        // local sessions so far
	talk     *talk         // the current one; nil: the bot has not identified
	waits    bool          // an IDENTIFY waits for Discord's READY
	hold     bool          // see Hold
	control  []Frame       // to be sent before all else
}

// New returns a shard without a session.
func New(cfg Config) *Shard {
	return &Shard{cfg: cfg, suspects: map[int64]uint8{}, probe: cfg.Probe, intents: -1, voice: map[uint64]bool{}, whole: map[uint64]whole{}}
}

// Restore makes a new shard go on with a session whose RESUME from seq is about to be sent to
// Discord, and with what the cache knew then. suspects are those of then.
func (s *Shard) Restore(session string, seq, intents int64, c cache.Cache, suspects map[int64]uint8) {
	s.session, s.intents, s.received, s.acked, s.cache = session, intents, seq, seq, c
	maps.Copy(s.suspects, suspects)
}

// Suspects returns how many connections ended before they acknowledged an event they were sent, by
// its sequence. The next process of the host must know, or one event could end bots forever.
func (s *Shard) Suspects() map[int64]uint8 { return maps.Clone(s.suspects) }

// Effects returns what the steps since the last call want.
func (s *Shard) Effects() []Effect {
	e := s.effects
	s.effects = nil
	return e
}

// Session returns Discord's session, its intents, and the sequence from which another process
// should resume it: that of the last event which the bot has acknowledged, and with which the cache
// agrees.
func (s *Shard) Session() (id string, seq, intents int64) {
	return s.session, min(s.acked, s.received), s.intents
}

// Waiting returns how many events the bot has not acknowledged, and when the oldest came. One that
// this bot is not given waits for no bot, though it is kept until a later one is acknowledged.
func (s *Shard) Waiting() (events int, since time.Time) {
	for _, e := range s.ring.events {
		if s.talk != nil && e.seq <= s.talk.seq && e.run != s.talk.run {
			continue
		}
		if events++; events == 1 {
			since = e.at
		}
	}
	return events, since
}

// Memory returns the bytes of the cache, and of the events that wait.
func (s *Shard) Memory() (cache, ring int) { return s.cache.Size(), s.ring.bytes }

// Limit sets how many bytes of events may wait for the bot's acknowledgement.
func (s *Shard) Limit(ring int) {
	if s.cfg.Ring = ring; s.ring.bytes > ring {
		s.overflow()
	}
}

// Dispatch takes the next event of Discord's session. It keeps d, which must not change after.
func (s *Shard) Dispatch(now time.Time, seq int64, kind string, d []byte) {
	if kind == "READY" {
		s.begin(now, seq, d)
		return
	}
	if s.session == "" || seq <= s.received {
		return // Discord repeats nothing; after a RESUME this would be what we have
	}
	s.received = seq
	if kind == "RESUMED" { // ours to know
		s.replays = false
		return
	}
	e := event{seq: seq, kind: kind, data: d, at: now, ends: s.suspects[seq]}
	if made := created(d); s.replays && kind == "INTERACTION_CREATE" && made.Before(now) {
		e.at = made
	}
	if s.talk != nil {
		e.came = s.talk.run
	}
	if kind == "VOICE_STATE_UPDATE" {
		s.voiceState(&e)
	}
	if seq <= s.acked { // a bot that outlived our predecessor has seen it
		s.apply(e)
		return
	}
	s.ring.add(e)
	if s.ring.bytes > s.cfg.Ring {
		s.overflow()
	}
}

// begin starts Discord's new session.
func (s *Shard) begin(now time.Time, seq int64, d []byte) {
	if s.session != "" {
		s.Lost()
	}
	s.session = splice.String(splice.Get(d, "session_id"))
	s.received, s.acked = seq, seq
	s.apply(event{kind: "READY", data: d})
	if s.waits {
		s.start(now)
	}
}

// created returns when the object of an event was made, which its id holds (Discord docs,
// Snowflakes).
func created(d []byte) time.Time {
	const epoch = 1420070400000 // ms
	return time.UnixMilli(int64(splice.ID(splice.Get(d, "id"))>>22) + epoch)
}

// Replays notes that Discord's session is about to be resumed: what comes before RESUMED is older
// than its arrival.
func (s *Shard) Replays() { s.replays = true }

// voiceState notes where the bot is in a voice channel.
func (s *Shard) voiceState(e *event) {
	if splice.ID(splice.Get(e.data, "user_id")) != s.cache.Self() {
		return
	}
	guild := splice.ID(splice.Get(e.data, "guild_id"))
	if splice.IsNull(splice.Get(e.data, "channel_id")) {
		delete(s.voice, guild)
		return
	}
	s.voice[guild], e.own = true, true
}

// Lost notes that Discord's session cannot be resumed. The bot has to identify again; what it was
// not given is gone.
func (s *Shard) Lost() {
	s.drop(s.received, true)
	s.session, s.received, s.acked, s.replays = "", 0, 0, false
	s.cache, s.ring = cache.Cache{}, ring{}
	clear(s.voice)
	clear(s.suspects)
	s.invalidate()
}

// overflow gives up the oldest events, down to three quarters of what the ring holds. A bot that
// was sent all of them goes on: it just does not get them again, should it die now.
func (s *Shard) overflow() {
	upTo := s.ring.oldest(s.cfg.Ring / 4 * 3)
	if upTo == 0 {
		return
	}
	given := s.talk != nil && s.talk.started() && upTo <= s.talk.seq
	s.drop(upTo, false)
	s.acknowledge(upTo)
	if !given {
		s.invalidate()
	}
}

// drop reports those events up to a sequence that the bot of now was not sent.
func (s *Shard) drop(upTo int64, lost bool) {
	n := 0
	for _, e := range s.ring.events {
		if e.seq <= upTo && (s.talk == nil || e.seq > s.talk.seq) && (lost || !e.begins()) {
			n++
		}
	}
	if n > 0 {
		s.effects = append(s.effects, Dropped{n, lost})
	}
}

// invalidate ends the local session.
func (s *Shard) invalidate() {
	if s.talk != nil {
		s.control = append(s.control, Frame{Op: OpInvalidSession, Data: []byte("false")})
	}
	s.talk = nil
}

// acknowledge moves the events up to Discord's sequence seq from the ring into the cache.
func (s *Shard) acknowledge(seq int64) {
	if seq <= s.acked {
		return
	}
	s.acked = seq
	maps.DeleteFunc(s.suspects, func(at int64, _ uint8) bool { return at <= seq })
	s.ring.take(seq, s.apply)
}

// apply takes an event into the cache.
func (s *Shard) apply(e event) {
	if s.cache.Apply(e.kind, e.data) && s.cfg.Changed != nil {
		s.cfg.Changed(e.kind, e.data)
	}
}

// Cache returns what the next process begins with. It is read between two steps only.
func (s *Shard) Cache() *cache.Cache { return &s.cache }

// localID returns the id of a local session.
func localID(session string, k, cut int64, measures bool) string {
	id := fmt.Sprintf("%s-%d-%d", session, k, cut)
	if measures {
		id += measured
	}
	return id
}

const measured = "m"

// parseLocal takes a local session's id apart.
func parseLocal(id string) (session string, k, cut int64, ok bool) {
	rest, last, ok1 := cutLast(strings.TrimSuffix(id, measured))
	session, middle, ok2 := cutLast(rest)
	k, err1 := strconv.ParseInt(middle, 10, 64)
	cut, err2 := strconv.ParseInt(last, 10, 64)
	ok = ok1 && ok2 && err1 == nil && err2 == nil && k > 0 && cut >= 0 && session != ""
	return session, k, cut, ok
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// Request takes a frame with which the bot asks something of Discord: its presence (op 3), voice
// (op 4), members (op 8), sounds (op 31), channels (op 43). Discord is sent it at once, except for
// members that the process before this one has just asked for.
func (s *Shard) Request(now time.Time, op int, d []byte) {
	if op == opMembers && s.holdsBack(now, d) {
		return
	}
	if op == opPresence {
		s.presence = d
	}
	s.effects = append(s.effects, Send{op, d})
}

const (
	opPresence = 3
	opVoice    = 4
	opMembers  = 8
)
