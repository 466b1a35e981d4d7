package rules

import (
	"math/rand/v2"
	"testing"
	"time"
)

// judge checks a Discord from outside: its outputs must be consistent, whatever the inputs.
type judge struct {
	t       *testing.T
	d       *Discord
	c       Config
	now     time.Time
	open    map[Conn]bool
	seq     map[Conn]int64 // the last one sent to a connection
	ids     []string       // sessions ever
	buckets map[int]time.Time
	readies int
}

// step applies in and checks everything that must always hold.
func (j *judge) step(in Input) {
	if o, ok := in.(Opened); ok && o.Conn > 0 {
		j.open[o.Conn] = true
	}
	if c, ok := in.(Closed); ok {
		defer delete(j.open, c.Conn)
	}
	for _, o := range j.d.Step(j.now, in) {
		if !j.open[o.To()] {
			j.t.Fatalf("%T: sent %s to a connection that is not open", in, short(o))
		}
		switch o := o.(type) {
		case Ready:
			j.ready(o)
			j.dispatched(o.Conn, o.Seq)
		case Event:
			j.dispatched(o.Conn, o.Seq)
		case Resumed:
			j.dispatched(o.Conn, o.Seq)
		case InvalidSession:
			delete(j.seq, o.Conn) // the next session on it counts from 1
		case Close:
			delete(j.open, o.Conn)
		}
	}
	j.consistent()
}

// dispatched checks that seqs only grow on a connection.
func (j *judge) dispatched(c Conn, seq int64) {
	if seq <= j.seq[c] {
		j.t.Fatalf("seq %d after %d on connection %d", seq, j.seq[c], c)
	}
	j.seq[c] = seq
}

// ready checks the interval of a bucket.
func (j *judge) ready(r Ready) {
	b := r.Shard % j.c.MaxConcurrency
	if last, ok := j.buckets[b]; ok && j.d.now.Sub(last) < 5*time.Second {
		j.t.Fatalf("bucket %d: READY at %s and %s", b, last, j.d.now)
	}
	j.buckets[b] = j.d.now
	j.ids = append(j.ids, r.SessionID)
	j.readies++
}

// consistent checks the value itself.
func (j *judge) consistent() {
	d, t := j.d, j.t
	owned, pending := 0, map[*event]bool{}
	for id, s := range d.sessions {
		if s.id != id || s.sent > s.seq || len(s.kept) > j.c.ReplayEvents {
			t.Fatalf("session %s: id %s, sent %d, seq %d, kept %d", id, s.id, s.sent, s.seq, len(s.kept))
		}
		if s.conn != nil {
			owned++
			if s.conn.session != s || d.conns[s.conn.id] != s.conn {
				t.Fatalf("session %s and its connection do not know each other", id)
			}
		}
		for _, k := range s.kept {
			if k.number > 0 && !k.sent {
				pending[k.event] = true
			}
		}
	}
	listed := 0
	for shard, list := range d.byShard {
		for _, s := range list {
			if listed++; s.shard != shard || d.sessions[s.id] != s {
				t.Fatalf("shard %d lists session %s", shard, s.id)
			}
		}
	}
	c := d.Counts()
	if listed != len(d.sessions) || c.Owned != owned || c.Sessions != listed || c.Connections != len(d.conns) {
		t.Fatalf("counts %+v, want sessions %d, owned %d, connections %d", c, len(d.sessions), owned, len(d.conns))
	}
	if e := c.Events; e.Emitted != e.Delivered+e.Lost+int64(len(pending)) {
		t.Fatalf("events %+v and %d pending do not add up", e, len(pending))
	}
	if c.Remaining < 0 || c.Remaining > j.c.IdentifyTotal || c.Identifies < j.readies {
		t.Fatalf("budget: %+v after %d READYs", c, j.readies)
	}
}

// fuzzStory turns bytes into a story: a kind, an argument and the time that passes.
func fuzzStory(t *testing.T, story []byte) *judge {
	c := Config{
		Token: "good", MaxConcurrency: 2, IdentifyTotal: 20, ReplayEvents: 3, Guilds: 3,
		SessionWindow: 20 * time.Second, HeartbeatInterval: 10 * time.Second, ResetAfter: time.Hour,
	}
	j := &judge{t: t, d: New(c, noon), c: c, now: noon, open: map[Conn]bool{}, seq: map[Conn]int64{}, buckets: map[int]time.Time{}}
	next := Conn(0)
	for ; len(story) >= 3; story = story[3:] {
		kind, arg := story[0], int(story[1])
		j.now = j.now.Add(time.Duration(story[2]) * time.Duration(story[2]) * time.Millisecond)
		conn := max(next-Conn(arg%6), 0)
		switch kind % 16 {
		case 0, 1:
			next++
			j.step(Opened{next})
		case 2, 3, 4:
			j.step(Identify{Conn: conn, Token: "good", Shard: arg / 6 % 4, ShardCount: 4})
		case 5:
			j.step(Identify{Conn: conn, Token: "bad", Shard: arg%9 - 2, ShardCount: arg % 5, Intents: int64(arg) << 15})
		case 6, 7:
			id := "none"
			if n := len(j.ids); n > 0 {
				id = j.ids[max(n-1-arg/36, 0)]
			}
			j.step(Resume{Conn: conn, Token: "good", SessionID: id, Seq: int64(arg/6%8 - 1)})
		case 8, 9:
			j.step(Heartbeat{Conn: conn})
		case 10, 11:
			j.step(Emit{Shard: arg%5 - 1})
		case 12:
			j.step(Closed{conn, []int{1000, 1006, 4000}[arg%3]})
			delete(j.open, conn)
		case 13:
			kinds := []FaultKind{FaultReconnect, FaultInvalidate, FaultClose, FaultFreeze, FaultThaw, FaultThaw, FaultOutageOn, FaultOutageOff, FaultRefuseToken, FaultAcceptToken,
				FaultRefuseIdentify, FaultAcceptIdentify}
			j.step(Fault{Kind: kinds[arg%len(kinds)], Shard: arg/10%5 - 1, Code: 4000 + arg%16, Resumable: arg > 128})
		case 14:
			asks := Request{Conn: conn, Guild: uint64(arg/5%5) << 22, Whole: arg%2 == 0, Answers: []Answer{{"GUILD_MEMBERS_CHUNK", arg}}}
			j.step([]Input{Tick{}, Other{conn}, Malformed{conn, CloseUnknownOpcode, ""}, Opened{0}, asks}[arg%5])
		case 15:
			j.step(Fault{Kind: []FaultKind{FaultOutageOff, FaultAcceptToken}[arg%2]})
		}
	}
	j.now = j.now.Add(time.Hour) // at last every deadline passes
	j.step(Fault{Kind: FaultThaw, Shard: All})
	j.now = j.now.Add(time.Minute)
	j.step(Tick{})
	if c := j.d.Counts(); c.Connections+c.Sessions+c.DuplicatesOpen != 0 || c.Events.Emitted != c.Events.Delivered+c.Events.Lost {
		t.Fatalf("not all ran out: %+v", c)
	}
	return j
}

// FuzzStep: no story makes Discord panic or contradict itself.
func FuzzStep(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 0, 0, 10, 1, 0, 12, 1, 0, 10, 1, 0, 0, 0, 0, 6, 6, 0})
	f.Fuzz(func(t *testing.T, story []byte) { fuzzStory(t, story[:min(len(story), 3000)]) })
}

// TestRandomStories plays 200 long seeded stories; the counts at the end show that they reach the
// interesting states.
func TestRandomStories(t *testing.T) {
	var total Counts
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		story := make([]byte, 3000)
		for i := range story {
			story[i] = byte(r.UintN(256))
		}
		for i := 2; i < len(story); i += 3 {
			story[i] /= 4 // up to 4 s a step
		}
		c := fuzzStory(t, story).d.Counts()
		if other := fuzzStory(t, story).d.Counts(); other != c {
			t.Fatalf("seed %d: %+v, then %+v", seed, c, other)
		}
		total.Identifies += c.Identifies
		total.Violations += c.Violations
		total.TokenResets += c.TokenResets
		total.Resumes += c.Resumes
		total.ResumesRefused += c.ResumesRefused
		total.Duplicates += c.Duplicates
		total.Events.add(c.Events)
	}
	e := total.Events
	if min(total.Violations, total.TokenResets, total.Resumes, total.ResumesRefused, total.Duplicates) == 0 || min(e.Delivered, e.Replayed, e.Doubled, e.Lost) == 0 {
		t.Fatalf("some rule was never reached: %+v", total)
	}
}

// BenchmarkStep is a busy second of a large bot: 1,000 sessions, each with one event and sometimes
// a heartbeat.
func BenchmarkStep(b *testing.B) {
	d := New(Config{Token: "good", MaxConcurrency: 1000, IdentifyTotal: 5000}, noon)
	for c := Conn(1); c <= 1000; c++ {
		d.Step(noon, Opened{c})
		d.Step(noon, Identify{Conn: c, Token: "good", Shard: int(c) - 1, ShardCount: 1000})
	}
	now := noon
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now = now.Add(time.Millisecond)
		if i%40 == 0 {
			d.Step(now, Heartbeat{Conn: Conn(i/40%1000 + 1)})
		}
		d.Step(now, Emit{Shard: i % 1000})
	}
}
