package rules

import (
	"fmt"
	"testing"
	"time"
)

// noon is the start of every test.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// world drives one Discord and records its outputs in a short form.
type world struct {
	t        *testing.T
	d        *Discord
	sessions map[Conn]string // from READY
}

func newWorld(t *testing.T, c Config) *world {
	if c.Token == "" {
		c.Token = "good"
	}
	return &world{t, New(c, noon), map[Conn]string{}}
}

// at steps and returns the outputs as a text, one after the other.
func (w *world) at(after time.Duration, in Input) string {
	if r, ok := in.(Resume); ok {
		var of Conn
		if _, err := fmt.Sscanf(r.SessionID, "of %d", &of); err == nil {
			r.SessionID = w.sessions[of]
			in = r
		}
	}
	text := ""
	for _, o := range w.d.Step(noon.Add(after), in) {
		if r, ok := o.(Ready); ok {
			w.sessions[r.Conn] = r.SessionID
		}
		if text != "" {
			text += " "
		}
		text += short(o)
	}
	return text
}

// short describes an output in a few letters: kind, connection, and its details.
func short(o Output) string {
	switch o := o.(type) {
	case Hello:
		return fmt.Sprintf("hello:%d", o.Conn)
	case Ready:
		return fmt.Sprintf("ready:%d[%d,%d]", o.Conn, o.Shard, o.ShardCount)
	case Resumed:
		return fmt.Sprintf("resumed:%d#%d", o.Conn, o.Seq)
	case Event:
		return fmt.Sprintf("event:%d#%d=%d", o.Conn, o.Seq, o.Number)
	case Ack:
		return fmt.Sprintf("ack:%d", o.Conn)
	case InvalidSession:
		return fmt.Sprintf("op9:%d,%t", o.Conn, o.Resumable)
	case Reconnect:
		return fmt.Sprintf("op7:%d", o.Conn)
	case Close:
		return fmt.Sprintf("close:%d,%d", o.Conn, o.Code)
	}
	return fmt.Sprintf("%T", o)
}

// step is one line of a story: an input, its time, and the outputs.
type step struct {
	at   time.Duration
	in   Input
	want string
}

// story is a table row: a Discord and its inputs, in order.
type story struct {
	name   string
	config Config
	steps  []step
}

// play plays stories. A Resume's SessionID "of 3" is the session in the READY of connection 3.
func play(t *testing.T, stories []story) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			w := newWorld(t, s.config)
			for i, st := range s.steps {
				if got := w.at(st.at, st.in); got != st.want {
					t.Fatalf("step %d, %T after %s:\n got %q\nwant %q", i, st.in, st.at, got, st.want)
				}
			}
		})
	}
}

func identify(conn Conn, shard, count int) Identify {
	return Identify{Conn: conn, Token: "good", Shard: shard, ShardCount: count}
}

func resume(conn, of Conn, seq int64) Resume {
	return Resume{Conn: conn, Token: "good", SessionID: fmt.Sprintf("of %d", of), Seq: seq}
}

func TestConnection(t *testing.T) {
	seq := int64(1)
	interval := 40 * time.Second
	play(t, []story{
		{"hello, then READY and a GUILD_CREATE for each guild of the shard", Config{Guilds: 5}, []step{
			{0, Opened{1}, "hello:1"},
			{0, identify(1, 1, 2), "ready:1[1,2] event:1#2=0 event:1#3=0 event:1#4=0"},
		}},
		{"heartbeats are acked, before IDENTIFY too", Config{}, []step{
			{0, Opened{1}, "hello:1"},
			{0, Heartbeat{Conn: 1}, "ack:1"},
			{0, identify(1, 0, 1), "ready:1[0,1]"},
			{0, Heartbeat{Conn: 1, Seq: &seq}, "ack:1"},
		}},
		{"anything else before IDENTIFY is 4003", Config{}, []step{
			{0, Opened{1}, "hello:1"},
			{0, Other{1}, "close:1,4003"},
			{0, identify(1, 0, 1), ""},
		}},
		{"malformed frames close with their code and keep the session", Config{}, []step{
			{0, Opened{1}, "hello:1"},
			{0, identify(1, 0, 1), "ready:1[0,1]"},
			{0, Malformed{1, CloseDecodeError, "no JSON"}, "close:1,4002"},
			{0, Opened{2}, "hello:2"},
			{0, resume(2, 1, 1), "resumed:2#2"},
		}},
		{"silence for one and a half intervals is 4009 and ends the session", Config{HeartbeatInterval: interval}, []step{
			{0, Opened{1}, "hello:1"},
			{0, identify(1, 0, 1), "ready:1[0,1]"},
			{30 * time.Second, Heartbeat{Conn: 1}, "ack:1"},
			{90*time.Second - 1, Tick{}, ""},
			{90 * time.Second, Tick{}, "close:1,4009"},
			{90 * time.Second, Opened{2}, "hello:2"},
			{90 * time.Second, resume(2, 1, 1), "op9:2,false"},
		}},
		{"a greeted connection that never beats is closed too", Config{HeartbeatInterval: interval}, []step{
			{0, Opened{1}, "hello:1"},
			{time.Minute, Tick{}, "close:1,4009"},
		}},
		{"what fell due comes before the input", Config{HeartbeatInterval: interval}, []step{
			{0, Opened{1}, "hello:1"},
			{time.Minute, Opened{2}, "close:1,4009 hello:2"},
		}},
		{"a connection's number is not used twice while it is open", Config{}, []step{
			{0, Opened{1}, "hello:1"},
			{0, Opened{1}, ""},
			{0, Opened{0}, ""},
		}},
		{"time never goes back", Config{}, []step{
			{time.Hour, Opened{1}, "hello:1"},
			{0, Heartbeat{Conn: 1}, "ack:1"},
			{time.Hour + time.Minute, Tick{}, ""},
		}},
	})
}

// The 120 sends of a minute slide: heartbeats and IDENTIFY count, and sends a minute ago do not.
func TestSendRate(t *testing.T) {
	w := newWorld(t, Config{})
	w.ready(0, 1, 0, 1)
	for i := range 119 {
		w.at(time.Second, Heartbeat{Conn: 1})
		if got := w.d.Counts().RateLimited; got != 0 {
			t.Fatalf("closed at send %d", i+2)
		}
	}
	// at 60 s only the IDENTIFY has left the window
	for _, want := range []string{"ack:1", "close:1,4008"} {
		if got := w.at(time.Minute, Heartbeat{Conn: 1}); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	w.at(time.Minute, Opened{2})
	if got, want := w.at(time.Minute, resume(2, 1, 1)), "resumed:2#2"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// ready opens conn and makes it READY as [shard, count].
func (w *world) ready(after time.Duration, conn Conn, shard, count int) {
	w.t.Helper()
	w.at(after, Opened{conn})
	in := identify(conn, shard, count)
	in.Token = w.d.c.Token
	if w.at(after, in); w.sessions[conn] == "" {
		w.t.Fatalf("shard %d was not made ready after %s", shard, after)
	}
}
