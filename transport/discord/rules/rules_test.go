package rules

import (
	"fmt"
	"testing"
	"time"
)

// noon is when every test begins.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// world drives one Discord and writes down what it says in a short form.
type world struct {
	t *testing.T
	d *Discord
}

func newWorld(t *testing.T, c Config) *world {
	if c.Token == "" {
		c.Token = "good"
	}
	return &world{t, New(c, noon)}
}

// at steps and gives the outputs as text, one after the other.
func (w *world) at(after time.Duration, in Input) string {
	text := ""
	for _, o := range w.d.Step(noon.Add(after), in) {
		if text != "" {
			text += " "
		}
		text += short(o)
	}
	return text
}

// short is an output in a few letters: kind, connection, and what tells it from others.
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

// ready opens conn, identifies it as [shard, count] and gives the session id; it must succeed.
func (w *world) ready(after time.Duration, conn Conn, shard, count int) string {
	w.t.Helper()
	w.d.Step(noon.Add(after), Opened{conn})
	for _, o := range w.d.Step(noon.Add(after), Identify{Conn: conn, Token: w.d.c.Token, Shard: shard, ShardCount: count}) {
		if r, ok := o.(Ready); ok {
			return r.SessionID
		}
	}
	w.t.Fatalf("shard %d was not made ready after %s", shard, after)
	return ""
}

func TestReady(t *testing.T) {
	w := newWorld(t, Config{Guilds: 5})
	if got := w.at(0, Opened{1}); got != "hello:1" {
		t.Fatal(got)
	}
	if got, want := w.at(0, Identify{Conn: 1, Token: "good", Shard: 1, ShardCount: 2}), "ready:1[1,2] event:1#2=0 event:1#3=0 event:1#4=0"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}
