package rules

import (
	"reflect"
	"testing"
	"time"
)

func TestResume(t *testing.T) {
	begin := func(rest ...step) []step {
		return append([]step{{0, Opened{1}, "hello:1"}, {0, identify(1, 0, 1), "ready:1[0,1]"}}, rest...)
	}
	play(t, []story{
		{"what was missed comes again, then RESUMED", Config{}, begin(
			step{0, Emit{Shard: 0}, "event:1#2=1"},
			step{sec, Closed{1, CloseVanished}, ""},
			step{sec, Emit{Shard: 0}, ""},
			step{sec, Emit{Shard: 0}, ""},
			step{sec, Opened{2}, "hello:2"},
			step{sec, resume(2, 1, 2), "event:2#3=2 event:2#4=3 resumed:2#5"},
			step{sec, Emit{Shard: 0}, "event:2#6=4"},
			step{sec, Closed{2, 4000}, ""},
			step{sec, Opened{3}, "hello:3"},
			step{sec, resume(3, 1, 5), "event:3#6=4 resumed:3#7"},
		)},
		{"seq 0 brings everything but READY", Config{}, begin(
			step{0, Emit{Shard: 0}, "event:1#2=1"},
			step{0, Closed{1, 4900}, ""},
			step{0, Opened{2}, "hello:2"},
			step{0, resume(2, 1, 0), "event:2#2=1 resumed:2#3"},
		)},
		{"1000 ends the session", Config{}, begin(
			step{0, Closed{1, 1000}, ""}, step{0, Opened{2}, "hello:2"}, step{0, resume(2, 1, 1), "op9:2,false"})},
		{"1001 ends the session", Config{}, begin(
			step{0, Closed{1, 1001}, ""}, step{0, Opened{2}, "hello:2"}, step{0, resume(2, 1, 1), "op9:2,false"})},
		{"within the window", Config{}, begin(
			step{sec, Closed{1, CloseVanished}, ""}, step{sec, Opened{2}, "hello:2"}, step{sec, Heartbeat{Conn: 2}, "ack:2"},
			step{50 * sec, Heartbeat{Conn: 2}, "ack:2"},
			step{91*sec - 1, resume(2, 1, 1), "resumed:2#2"})},
		{"after the window", Config{}, begin(
			step{sec, Closed{1, CloseVanished}, ""}, step{sec, Opened{2}, "hello:2"}, step{sec, Heartbeat{Conn: 2}, "ack:2"},
			step{50 * sec, Heartbeat{Conn: 2}, "ack:2"},
			step{91 * sec, resume(2, 1, 1), "op9:2,false"})},
		{"a resumed session's old deadline does not end it when it is lost again", Config{SessionWindow: 10 * sec}, begin(
			step{0, Closed{1, CloseVanished}, ""},
			step{9 * sec, Opened{2}, "hello:2"}, step{9 * sec, resume(2, 1, 1), "resumed:2#2"},
			step{9 * sec, Closed{2, CloseVanished}, ""},
			step{19*sec - 1, Opened{3}, "hello:3"}, step{19*sec - 1, resume(3, 1, 1), "resumed:3#3"})},
		{"unknown session", Config{}, []step{
			{0, Opened{1}, "hello:1"},
			{0, Resume{Conn: 1, Token: "good", SessionID: "unknown"}, "op9:1,false"},
			{0, identify(1, 0, 1), "ready:1[0,1]"}}},
		{"wrong token", Config{}, begin(
			step{0, Opened{2}, "hello:2"},
			step{0, Resume{Conn: 2, Token: "bad", SessionID: "of 1", Seq: 1}, "close:2,4004"})},
		{"seq too high is 4007, and the owner keeps the session", Config{}, begin(
			step{0, Opened{2}, "hello:2"}, step{0, resume(2, 1, 2), "close:2,4007"},
			step{0, Emit{Shard: 0}, "event:1#2=1"})},
		{"seq below zero is 4007", Config{}, begin(step{0, Opened{2}, "hello:2"}, step{0, resume(2, 1, -1), "close:2,4007"})},
		{"seq older than the buffer", Config{ReplayEvents: 1}, begin(
			step{0, Emit{Shard: 0}, "event:1#2=1"}, step{0, Emit{Shard: 0}, "event:1#3=2"},
			step{0, Opened{2}, "hello:2"}, step{0, resume(2, 1, 1), "op9:2,false op9:1,false"},
			step{0, Opened{3}, "hello:3"}, step{0, resume(3, 1, 3), "op9:3,false"})},
		{"seq just inside the buffer", Config{ReplayEvents: 1}, begin(
			step{0, Emit{Shard: 0}, "event:1#2=1"}, step{0, Emit{Shard: 0}, "event:1#3=2"},
			step{0, Opened{2}, "hello:2"}, step{0, resume(2, 1, 2), "close:1,4000 event:2#3=2 resumed:2#4"})},
		{"taking over a live connection closes it", Config{}, begin(
			step{0, Opened{2}, "hello:2"}, step{0, resume(2, 1, 1), "close:1,4000 resumed:2#2"},
			step{0, Emit{Shard: 0}, "event:2#3=1"})},
		{"on a connection that has a session", Config{}, begin(step{0, resume(1, 1, 1), "close:1,4005"})},
		{"a RESUME is no IDENTIFY: free of bucket and budget", Config{IdentifyTotal: 1}, begin(
			step{0, Closed{1, 4000}, ""}, step{0, Opened{2}, "hello:2"}, step{0, resume(2, 1, 1), "resumed:2#2"})},
	})
}

func TestSessionIDs(t *testing.T) {
	a, b := newWorld(t, Config{MaxConcurrency: 2}), newWorld(t, Config{MaxConcurrency: 2})
	for _, w := range []*world{a, b} {
		w.ready(0, 1, 0, 2)
		w.ready(0, 2, 1, 2)
	}
	if a.sessions[1] != b.sessions[1] || a.sessions[1] == a.sessions[2] || len(a.sessions[1]) != 32 {
		t.Fatalf("got %v and %v, want the same two different 32 digits", a.sessions, b.sessions)
	}
	later := New(Config{Token: "good"}, noon.Add(1))
	later.started = 1
	if later.sessionID() == a.sessions[1] {
		t.Fatal("a Discord that began later gave the same session id")
	}
}

func TestDuplicates(t *testing.T) {
	tests := []struct {
		name  string
		story func(w *world)
		want  []Duplicate // without sessions
		open  int
	}{
		{"two owners of [0,2] for 7 s", func(w *world) {
			w.ready(0, 1, 0, 2)
			w.ready(5*sec, 2, 0, 2)
			w.at(12*sec, Closed{1, CloseVanished})
		}, []Duplicate{{ShardCount: 2, Conns: [2]Conn{1, 2}, From: noon.Add(5 * sec), To: noon.Add(12 * sec)}}, 0},
		{"still two", func(w *world) {
			w.ready(0, 1, 0, 2)
			w.ready(5*sec, 2, 0, 2)
		}, []Duplicate{{ShardCount: 2, Conns: [2]Conn{1, 2}, From: noon.Add(5 * sec)}}, 1},
		{"another shard count is no duplicate: that is how one reshards", func(w *world) {
			w.ready(0, 1, 0, 2)
			w.ready(5*sec, 2, 0, 4)
		}, []Duplicate{}, 0},
		{"one after the other", func(w *world) {
			w.ready(0, 1, 0, 2)
			w.at(sec, Closed{1, CloseVanished})
			w.ready(5*sec, 2, 0, 2)
		}, []Duplicate{}, 0},
		{"a waiting session is resumed beside its successor", func(w *world) {
			w.ready(0, 1, 0, 2)
			w.at(sec, Closed{1, CloseVanished})
			w.ready(5*sec, 2, 0, 2)
			w.at(6*sec, Opened{3})
			w.at(6*sec, resume(3, 1, 1))
			w.at(8*sec, Closed{3, 1000})
		}, []Duplicate{{ShardCount: 2, Conns: [2]Conn{2, 3}, From: noon.Add(6 * sec), To: noon.Add(8 * sec)}}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			tt.story(w)
			s := w.d.Score()
			for i, d := range s.DuplicateLog {
				if d.Sessions[0] != w.sessions[1] && d.Sessions[1] != w.sessions[1] {
					t.Errorf("duplicate %d: sessions %v, want one to be %s", i, d.Sessions, w.sessions[1])
				}
				s.DuplicateLog[i].Sessions = [2]string{}
			}
			if !reflect.DeepEqual(s.DuplicateLog, tt.want) || s.Duplicates != len(tt.want) || s.DuplicatesOpen != tt.open {
				t.Fatalf("got %+v (%d, open %d), want %+v (open %d)", s.DuplicateLog, s.Duplicates, s.DuplicatesOpen, tt.want, tt.open)
			}
		})
	}
}

func TestResumptions(t *testing.T) {
	w := newWorld(t, Config{})
	w.ready(0, 1, 0, 1)
	w.at(sec, Closed{1, CloseVanished})
	w.at(2*sec, Emit{Shard: 0})
	w.at(4*sec, Opened{2})
	w.at(4*sec, resume(2, 1, 1))
	w.at(5*sec, Opened{3})
	w.at(5*sec, resume(3, 1, 2))
	want := []Resumption{
		{ShardCount: 1, LostAt: noon.Add(sec), At: noon.Add(4 * sec), Replayed: 1},
		{ShardCount: 1, LostAt: noon.Add(5 * sec), At: noon.Add(5 * sec), TakenOver: true},
	}
	if s := w.d.Score(); !reflect.DeepEqual(s.ResumeLog, want) || s.Resumes != 2 {
		t.Fatalf("got %d %+v, want %+v", s.Resumes, s.ResumeLog, want)
	}
}

func TestAllReady(t *testing.T) {
	w := newWorld(t, Config{MaxConcurrency: 2})
	w.ready(0, 1, 0, 2)
	if at, ok := w.d.Score().AllReady(2); ok {
		t.Fatalf("all ready at %s with one of two", at)
	}
	w.ready(3*sec, 2, 1, 2)
	w.at(4*sec, Closed{1, 1000})
	w.ready(9*sec, 3, 0, 2) // a second READY does not move the first
	if at, ok := w.d.Score().AllReady(2); !ok || !at.Equal(noon.Add(3*sec)) {
		t.Fatalf("got %s %t, want 3 s after noon", at, ok)
	}
	sh := w.d.Score().Shards[0]
	if want := []time.Time{noon, noon.Add(9 * sec)}; !reflect.DeepEqual(sh.IdentifyAt, want) || sh.Readies != 2 || !sh.LastReady.Equal(want[1]) {
		t.Fatalf("got %+v, want identifies at %v", sh, want)
	}
}
