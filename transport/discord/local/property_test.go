package local

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/discluster/control/transport/discord/cache"
)

// TestDelivery runs a shard against random bots: they read slowly, acknowledge now and then, lose
// their connection, die, are stopped, and so does the host, from a snapshot. For every process what
// it knows is READY's guild as of the cut plus the events after it, and must be the truth.
func TestDelivery(t *testing.T) {
	const stories = 1000
	from, to := uint64(0), uint64(stories)
	if one, err := strconv.ParseUint(os.Getenv("SIM_SEED"), 10, 64); err == nil {
		from, to = one, one+1
	}
	var doubled, deaths, hosts int
	for seed := from; seed < to; seed++ {
		w := newWorld(rand.New(rand.NewPCG(seed, 0)))
		for range 300 {
			w.step()
		}
		w.finish()
		if w.failure != "" {
			t.Fatalf("SIM_SEED=%d: %s", seed, w.failure)
		}
		doubled, deaths, hosts = doubled+w.doubled, deaths+w.deaths, hosts+w.hosts
	}
	if to-from == stories && (doubled == 0 || deaths == 0 || hosts == 0) {
		t.Errorf("%d doubled, %d deaths, %d hosts: the stories show nothing", doubled, deaths, hosts)
	}
}

// world is Discord, the host with its shard, and the bot of now.
type world struct {
	*rand.Rand
	shard   *Shard
	now     time.Time
	failure string

	stream []Frame // of Discord; the event with sequence n is stream[n-1]
	// changed are the events that changed the cache, of all hosts.
	changed []Frame
	said    int // how many of them this host has heard
	bot     *process

	handled []int  // how often each sequence was handled by a bot
	sent    []int  // how often it was sent to one
	skipped []bool // reported as poison
	acked   int64  // Discord's sequence that the host must know to be handled

	doubled, deaths, hosts int
}

// process is a bot. It handles what it has received, in order.
type process struct {
	connected bool
	received  []Frame // and not handled
	last      int64   // local sequence of the last frame it handled
	session   string
	k, cut    int64
	members   int  // of the guild, as it knows it
	gap       bool // an event was skipped for it
	identify  bool // it has asked
}

func newWorld(r *rand.Rand) *world {
	w := &world{Rand: r, now: time.Unix(1_700_000_000, 0)}
	w.shard = New(Config{Ring: 1 << 20, Probe: 15 * time.Second, Changed: func(kind string, d []byte) {
		w.changed = append(w.changed, Frame{Kind: kind, Data: d})
	}})
	w.bot = &process{}
	return w
}

func (w *world) fail(format string, args ...any) {
	if w.failure == "" {
		w.failure = fmt.Sprintf(format, args...)
	}
}

func (w *world) step() {
	w.now = w.now.Add(time.Duration(w.IntN(500)) * time.Millisecond)
	switch n := w.IntN(100); {
	case n < 25:
		w.discord()
	case n < 45:
		w.write(1 + w.IntN(5))
	case n < 65:
		w.handle(1 + w.IntN(5))
	case n < 80:
		w.beat()
	case n < 90:
		w.connect()
	case n < 95:
		w.disconnect()
	case n < 98:
		w.die()
	default:
		w.restart()
	}
}

// discord sends an event, of a bot that has identified.
func (w *world) discord() {
	if w.shard.intents < 0 {
		return
	}
	if w.said < len(w.stream) {
		f := w.stream[w.said]
		w.said++
		w.shard.Dispatch(w.now, int64(w.said), f.Kind, f.Data)
		return
	}
	f := Frame{Kind: "GUILD_MEMBER_ADD", Data: []byte(`{"guild_id":"1","user":{"id":"9"}}`)}
	switch len(w.stream) {
	case 0:
		f = Frame{Kind: "READY", Data: []byte(`{"session_id":"s","user":{"id":"7"},"guilds":[{"id":"1","unavailable":true}]}`)}
	case 1:
		f = Frame{Kind: "GUILD_CREATE", Data: []byte(`{"id":"1","member_count":0,"members":[],"voice_states":[]}`)}
	}
	w.stream = append(w.stream, f)
	w.handled, w.sent, w.skipped = append(w.handled, 0), append(w.sent, 0), append(w.skipped, false)
	w.discord()
}

// write sends up to n frames to the bot.
func (w *world) write(n int) (wrote bool) {
	for ; n > 0; n-- {
		f, ok := w.shard.Next(w.now)
		for _, e := range w.shard.Effects() {
			if e, is := e.(Skipped); is {
				if w.skipped[e.Seq-1], w.bot.gap = true, true; e.Why != Poison || w.sent[e.Seq-1] < endsMax {
					w.fail("event %d skipped (%s) after it was sent %d times", e.Seq, e.Why, w.sent[e.Seq-1])
				}
			}
		}
		if !ok {
			if at := w.shard.Wake(); !at.IsZero() && !at.After(w.now) {
				w.fail("there is nothing to send, and it is to be asked again at once")
			}
			return wrote
		}
		wrote = true
		w.bot.received = append(w.bot.received, f)
		if t := w.shard.talk; f.Op == OpDispatch && f.Kind != "RESUMED" && f.Seq > t.k {
			w.sent[w.discords(f.Seq)-1]++
		}
	}
	return wrote
}

// discords is Discord's sequence of a local one. Before READY was handled its id is on the way.
func (w *world) discords(local int64) int64 {
	k, cut := w.bot.k, w.bot.cut
	for _, f := range w.bot.received {
		if f.Kind == "READY" {
			_, k, cut, _ = parseLocal(sessionOf(f))
		}
	}
	return cut + local - k
}

func sessionOf(ready Frame) string {
	var d struct {
		ID string `json:"session_id"`
	}
	_ = json.Unmarshal(ready.Data, &d)
	return d.ID
}

// handle lets the bot handle up to n frames.
func (w *world) handle(n int) {
	b := w.bot
	for ; n > 0 && len(b.received) > 0; n-- {
		f := b.received[0]
		b.received = b.received[1:]
		switch {
		case f.Op == OpHeartbeat:
			w.beat()
			continue
		case f.Op == OpInvalidSession:
			*b = process{connected: true}
			w.identify()
			continue
		case f.Kind == "READY":
			b.session, b.members = sessionOf(f), -1
			_, b.k, b.cut, _ = parseLocal(b.session)
			if b.cut < w.acked {
				w.fail("session %s begins before what was acknowledged, %d", b.session, w.acked)
			}
		case f.Kind == "GUILD_CREATE":
			var d struct {
				Members int `json:"member_count"`
			}
			_ = json.Unmarshal(f.Data, &d)
			b.members = d.Members
		case f.Kind == "GUILD_MEMBER_ADD":
			seq := w.discords(f.Seq)
			if w.handled[seq-1]++; w.handled[seq-1] > 1 {
				w.doubled++
			}
			if seq <= w.acked {
				w.fail("event %d came again after %d was acknowledged", seq, w.acked)
			}
			if b.members++; !b.gap && b.members != int(seq)-2 {
				w.fail("at event %d session %s knows %d members", seq, b.session, b.members)
			}
		}
		if f.Kind != "RESUMED" && f.Seq <= b.last {
			w.fail("local sequence %d came after %d", f.Seq, b.last)
		}
		b.last = f.Seq
	}
}

func (w *world) beat() {
	b := w.bot
	if !b.connected || b.session == "" {
		return
	}
	w.shard.Heartbeat(b.last)
	if b.last >= b.k {
		w.acked = max(w.acked, b.cut+b.last-b.k)
	}
}

func (w *world) connect() {
	switch b := w.bot; {
	case b.connected && (b.session != "" || b.identify):
	case b.session != "":
		b.connected = true
		if !w.shard.Resume(w.now, b.session, b.last) {
			*b = process{connected: true}
			w.identify()
			return
		}
		w.acked = max(w.acked, b.cut+b.last-b.k)
	default:
		b.connected = true
		w.identify()
	}
}

func (w *world) identify() {
	w.bot.identify = true
	w.acked = min(w.acked, w.shard.received) // a process that was ahead of this host is gone
	if err := w.shard.Identify(w.now, []byte(`{"intents":1}`)); err != nil {
		w.fail("%v", err)
	}
}

func (w *world) disconnect() {
	if w.bot.connected {
		w.bot.connected, w.bot.received, w.bot.identify = false, nil, false
		w.shard.Ended(w.IntN(3) > 0)
	}
}

func (w *world) die() {
	w.deaths++
	w.bot = &process{}
	w.shard.Died(w.IntN(3) > 0)
}

// restart is a host that died: the next has a snapshot of some time ago, and Discord sends what
// came after. The bot lives.
func (w *world) restart() {
	session, seq, _ := w.shard.Session()
	if session == "" {
		return
	}
	w.hosts++
	var same cache.Cache
	for _, f := range w.changed {
		same.Apply(f.Kind, f.Data)
	}
	if _, is := same.Guild(1); !bytes.Equal(is, known(w.shard.Cache())) {
		w.fail("the events that changed the cache make %s of it, not %s", is, known(w.shard.Cache()))
	}
	if w.IntN(2) == 0 {
		seq -= min(int64(w.IntN(4)), seq-1)
	}
	w.acked = min(w.acked, seq)
	var c cache.Cache
	for _, f := range w.stream[:seq] {
		c.Apply(f.Kind, f.Data)
	}
	w.changed = w.changed[:min(int(seq), len(w.changed))]
	w.bot.connected, w.bot.received, w.bot.identify = false, nil, false
	suspects := w.shard.Suspects()
	w.shard = New(w.shard.cfg)
	w.shard.Restore("s", seq, 1, c, suspects)
	w.said = int(seq)
}

// known returns a cache's copy of the guild.
func known(c *cache.Cache) []byte {
	_, d := c.Guild(1)
	return d
}

// finish lets a bot read to the end.
func (w *world) finish() {
	for len(w.stream) < 3 || w.said < len(w.stream) {
		w.connect()
		w.discord()
	}
	for range 10_000 {
		w.now = w.now.Add(time.Second)
		w.connect()
		if !w.write(1) && len(w.bot.received) == 0 && w.bot.session != "" && w.shard.acked == w.shard.received {
			break
		}
		w.handle(1)
		w.beat()
	}
	for i, n := range w.handled {
		if w.stream[i].Kind == "GUILD_MEMBER_ADD" && n == 0 && !w.skipped[i] {
			w.fail("event %d was never handled", i+1)
		}
	}
	if !w.bot.gap && w.bot.members != len(w.stream)-2 {
		w.fail("in the end the bot knows %d members of %d", w.bot.members, len(w.stream)-2)
	}
}
