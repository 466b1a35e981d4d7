package rules

import (
	"encoding/json"
	"testing"
	"time"
)

func TestFaults(t *testing.T) {
	two := func(rest ...step) []step { // shards 0 and 1 of 2 on connections 1 and 2, and 3 greeted
		return append([]step{
			{0, Opened{1}, "hello:1"}, {0, identify(1, 0, 2), "ready:1[0,2]"},
			{0, Opened{2}, "hello:2"}, {0, identify(2, 1, 2), "ready:2[1,2]"},
			{0, Opened{3}, "hello:3"},
		}, rest...)
	}
	c := Config{MaxConcurrency: 2}
	play(t, []story{
		{"reconnect one", c, two(step{0, Fault{Kind: FaultReconnect, Shard: 1}, "op7:2"})},
		{"reconnect all that have a session", c, two(step{0, Fault{Kind: FaultReconnect, Shard: All}, "op7:1 op7:2"})},
		{"invalidate, resumable", c, two(
			step{0, Fault{Kind: FaultInvalidate, Shard: 0, Resumable: true}, "op9:1,true"},
			step{0, resume(1, 1, 1), "resumed:1#2"})},
		{"invalidate, not resumable; the waiting session too", c, two(
			step{0, Closed{1, 4000}, ""},
			step{0, Fault{Kind: FaultInvalidate, Shard: All}, "op9:2,false"},
			step{0, resume(3, 1, 1), "op9:3,false"},
			step{0, resume(3, 2, 1), "op9:3,false"})},
		{"close one, session kept", c, two(
			step{0, Fault{Kind: FaultClose, Shard: 0, Code: 4000}, "close:1,4000"},
			step{0, resume(3, 1, 1), "resumed:3#2"})},
		{"a fatal code ends the session", c, two(
			step{0, Fault{Kind: FaultClose, Shard: 0, Code: 4014}, "close:1,4014"},
			step{0, resume(3, 1, 1), "op9:3,false"})},
		{"Discord's own 1000 keeps the session: only the client's ends it", c, two(
			step{0, Fault{Kind: FaultClose, Shard: 0, Code: 1000}, "close:1,1000"},
			step{0, resume(3, 1, 1), "resumed:3#2"})},
		{"close all", c, two(step{0, Fault{Kind: FaultClose, Shard: All, Code: CloseVanished}, "close:1,1006 close:2,1006 close:3,1006"})},
		{"frozen: no ack, no event; a new connection resumes and gets what was kept", c, two(
			step{0, Fault{Kind: FaultFreeze, Shard: 0}, ""},
			step{0, Heartbeat{Conn: 1}, ""},
			step{0, Emit{Shard: 0}, ""},
			step{0, Emit{Shard: 1}, "event:2#2=1"},
			step{0, Closed{1, 4000}, ""},
			step{0, resume(3, 1, 1), "event:3#2=1 resumed:3#3"})},
		{"thawed: kept events come, acks do not, the silence is forgiven", Config{MaxConcurrency: 2, HeartbeatInterval: 10 * sec}, []step{
			{0, Opened{1}, "hello:1"}, {0, identify(1, 0, 2), "ready:1[0,2]"},
			{0, Fault{Kind: FaultFreeze, Shard: All}, ""},
			{10 * sec, Heartbeat{Conn: 1}, ""},
			{20 * sec, Emit{Shard: 0}, ""},
			{60 * sec, Tick{}, ""},
			{60 * sec, Fault{Kind: FaultThaw, Shard: All}, "event:1#2=1"},
			{60 * sec, Fault{Kind: FaultThaw, Shard: All}, ""},
			{75*sec - 1, Tick{}, ""},
			{75 * sec, Tick{}, "close:1,4009"}}},
		{"IDENTIFYs of one shard are refused; RESUMEs and other shards are not", c, two(
			step{0, Fault{Kind: FaultRefuseIdentify, Shard: 0, Code: 4014}, ""},
			step{5 * sec, identify(3, 0, 2), "close:3,4014"},
			step{5 * sec, Closed{1, 4000}, ""}, step{5 * sec, Opened{4}, "hello:4"},
			step{5 * sec, resume(4, 1, 1), "resumed:4#2"},
			step{5 * sec, Opened{5}, "hello:5"}, step{5 * sec, identify(5, 1, 2), "ready:5[1,2]"},
			step{5 * sec, Fault{Kind: FaultAcceptIdentify, Shard: 0}, ""},
			step{5 * sec, Opened{6}, "hello:6"}, step{5 * sec, identify(6, 0, 2), "ready:6[0,2]"})},
		{"IDENTIFYs of every shard are refused, one with a code of its own; then of none", c, two(
			step{0, Fault{Kind: FaultRefuseIdentify, Shard: All, Code: 4013}, ""},
			step{0, Fault{Kind: FaultRefuseIdentify, Shard: 1, Code: 4014}, ""},
			step{5 * sec, identify(3, 0, 2), "close:3,4013"},
			step{5 * sec, Opened{4}, "hello:4"}, step{5 * sec, identify(4, 1, 2), "close:4,4014"},
			step{5 * sec, Fault{Kind: FaultAcceptIdentify, Shard: All}, ""},
			step{5 * sec, Opened{5}, "hello:5"}, step{5 * sec, identify(5, 1, 2), "ready:5[1,2]"})},
		{"outage: no new connection, open ones go on", c, two(
			step{0, Fault{Kind: FaultOutageOn}, ""},
			step{0, Opened{4}, "close:4,1006"},
			step{0, identify(4, 0, 2), ""},
			step{0, Heartbeat{Conn: 1}, "ack:1"},
			step{0, Fault{Kind: FaultOutageOff}, ""},
			step{0, Opened{5}, "hello:5"})},
		{"token refused: sessions go on until they need it", c, two(
			step{0, Fault{Kind: FaultRefuseToken}, ""},
			step{0, Heartbeat{Conn: 1}, "ack:1"},
			step{9 * sec, identify(3, 0, 2), "close:3,4004"},
			step{9 * sec, Fault{Kind: FaultAcceptToken, Token: "new"}, ""},
			step{9 * sec, Opened{4}, "hello:4"},
			step{9 * sec, identify(4, 0, 2), "close:4,4004"},
			step{9 * sec, Opened{5}, "hello:5"},
			step{9 * sec, Identify{Conn: 5, Token: "new", Shard: 0, ShardCount: 2}, "ready:5[0,2]"})},
	})
}

func TestFaultJSON(t *testing.T) {
	tests := []struct {
		name, in string
		want     Fault
		err      string
	}{
		{"all by default", `{"kind":"reconnect"}`, Fault{Kind: FaultReconnect, Shard: All}, ""},
		{"shard 0", `{"kind":"freeze","shard":0}`, Fault{Kind: FaultFreeze}, ""},
		{"close", `{"kind":"close","shard":3,"code":4000}`, Fault{Kind: FaultClose, Shard: 3, Code: 4000}, ""},
		{"invalidate", `{"kind":"invalidate","resumable":true}`, Fault{Kind: FaultInvalidate, Shard: All, Resumable: true}, ""},
		{"close without a code", `{"kind":"close"}`, Fault{}, "fault close: code 0, want 1000 to 4999"},
		{"unknown kind", `{"kind":"explode"}`, Fault{}, `fault kind "explode" is unknown`},
		{"unknown field", `{"kind":"freeze","shards":1}`, Fault{}, `fault: json: unknown field "shards"`},
		{"shard below all", `{"kind":"freeze","shard":-2}`, Fault{}, "fault shard -2, want -1 (all) or more"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got Fault
			err := json.Unmarshal([]byte(tt.in), &got)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Fatalf("got error %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Fatalf("got %+v %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestEventCounts(t *testing.T) {
	tests := []struct {
		name  string
		story func(w *world)
		want  EventCount
	}{
		{"no session", func(w *world) { w.at(0, Emit{Shard: 0}) }, EventCount{Emitted: 1, Lost: 1}},
		{"delivered", func(w *world) {
			w.ready(0, 1, 0, 1)
			w.at(0, Emit{Shard: 0})
			w.at(0, Emit{Shard: All, Type: "TYPING_START", Data: []byte(`{}`)})
		}, EventCount{Emitted: 2, Delivered: 2}},
		{"kept while the session waits", func(w *world) {
			w.ready(0, 1, 0, 1)
			w.at(0, Closed{1, 4000})
			w.at(0, Emit{Shard: 0})
		}, EventCount{Emitted: 1}},
		{"lost with the session", func(w *world) {
			w.ready(0, 1, 0, 1)
			w.at(0, Emit{Shard: 0})
			w.at(0, Closed{1, 4000})
			w.at(0, Emit{Shard: 0})
			w.at(time.Hour, Tick{})
		}, EventCount{Emitted: 2, Delivered: 1, Lost: 1}},
		{"lost from a full buffer", func(w *world) {
			w.ready(0, 1, 0, 1)
			w.at(0, Closed{1, 4000})
			for range 3 {
				w.at(0, Emit{Shard: 0})
			}
		}, EventCount{Emitted: 3, Lost: 1}},
		{"replayed", func(w *world) {
			w.ready(0, 1, 0, 1)
			w.at(0, Emit{Shard: 0})
			w.at(0, Closed{1, 4000})
			w.at(0, Emit{Shard: 0})
			w.at(0, Opened{2})
			w.at(0, resume(2, 1, 1))
		}, EventCount{Emitted: 2, Delivered: 2, Replayed: 1}},
		{"doubled to two sessions", func(w *world) {
			w.ready(0, 1, 0, 1)
			w.ready(5*sec, 2, 0, 1)
			w.at(5*sec, Emit{Shard: 0})
		}, EventCount{Emitted: 1, Delivered: 1, Doubled: 1}},
		{"All is every shard that ever had a session", func(w *world) {
			w.ready(0, 1, 0, 1)
			w.at(0, Closed{1, 1000})
			w.at(0, Emit{Shard: All})
		}, EventCount{Emitted: 1, Lost: 1}},
		{"lost by one session, not by its successor", func(w *world) {
			w.ready(0, 1, 0, 1)
			w.at(0, Closed{1, 4000})
			w.ready(5*sec, 2, 0, 1)
			w.at(5*sec, Emit{Shard: 0})
			w.at(time.Minute, Heartbeat{Conn: 2})
			w.at(100*sec, Tick{})
		}, EventCount{Emitted: 1, Delivered: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, Config{ReplayEvents: 2})
			tt.story(w)
			s := w.d.Score()
			if s.Events != tt.want || len(s.ShardEvents) != 1 || s.ShardEvents[0].EventCount != tt.want {
				t.Fatalf("got %+v and %+v, want %+v", s.Events, s.ShardEvents, tt.want)
			}
		})
	}
}
