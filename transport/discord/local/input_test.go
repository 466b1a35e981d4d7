package local

// Tests of what a bot, another program or Discord may send.

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestUnknownKind: an event that nothing here knows, whatever its kind, is passed on as it came.
func TestUnknownKind(t *testing.T) {
	s := serve(t, nil)
	b := dial(t, s.URL())
	b.says(hello)
	b.identify()
	take(t, s.effects)
	s.With(2, func(sh *Shard, now time.Time) { sh.Dispatch(now, 1, "READY", readyOf("s1")) })
	b.says(fmt.Sprintf(`{"t":"READY","s":1,"op":0,"d":{"user":{"id":"7"},"session_id":"s1-1-1","guilds":[{"id":"1","unavailable":true},{"id":"2","unavailable":true}],"private_channels":[],"resume_gateway_url":%q}}`, s.URL()))
	for i, kind := range []string{"NEW_IN_2030", "", "é", "a \"quoted\" \\ kind", "\x01\x7f", strings.Repeat("X", 1000)} {
		s.With(2, func(sh *Shard, now time.Time) { sh.Dispatch(now, int64(i)+2, kind, []byte(`{"any": [1e400]}`)) })
		var got struct {
			T string
			S int
			D json.RawMessage
		}
		for got.S == 0 {
			if err := b.text.Decode(&got); err != nil {
				t.Fatalf("%q: %v", kind, err)
			}
		}
		if got.T != kind || got.S != i+2 || string(got.D) != `{"any": [1e400]}` {
			t.Errorf("%q came as %+v", kind, got)
		}
	}
}

// TestRefusals: what a bot may do wrong, and what it reads then.
func TestRefusals(t *testing.T) {
	good := `{"op":2,"d":{"token":"secret","intents":1,"shard":[2,4]}}`
	for _, test := range []struct {
		name, query string
		frames      []string
		shard, code int
		reason      string
	}{
		{"broken frame", "", []string{`{"op":1`}, -1, 4002, `A frame is no JSON object with an op: "{\"op\":1"`},
		{"no op", "", []string{`{}`}, -1, 4002, `A frame is no JSON object with an op: "{}"`},
		{"long frame", "", []string{strings.Repeat("x", 5000)}, -1, 4002, "A frame has more than 4096 bytes."},
		{"unknown op", "", []string{`{"op":99}`}, -1, 4001, "Op 99 is unknown."},
		{"too early", "", []string{`{"op":3,"d":{}}`}, -1, 4003, "Op 3 came before IDENTIFY."},
		{"no sequence", "", []string{good, `{"op":1,"d":"x"}`}, 2, 4002, `A heartbeat has "\"x\"" for a sequence.`},
		{"wrong token", "", []string{`{"op":2,"d":{"token":"other","intents":1,"shard":[2,4]}}`}, -1, 4004, "The token is not this bot's."},
		{"wrong token of a RESUME", "", []string{`{"op":6,"d":{"token":"other","session_id":"s1-1-1","seq":2}}`}, -1, 4004, "The token is not this bot's."},
		{"no shard", "", []string{`{"op":2,"d":{"token":"secret","intents":1}}`}, -1, 4010, "Shard 0 of 1: this cluster has 2, 3 of 4."},
		{"other count", "", []string{`{"op":2,"d":{"token":"secret","intents":1,"shard":[2,8]}}`}, -1, 4010, "Shard 2 of 8: this cluster has 2, 3 of 4."},
		{"no intents", "", []string{`{"op":2,"d":{"token":"secret","intents":-1,"shard":[2,4]}}`}, -1, 4013, "IDENTIFY has intents -1"},
		{"odd IDENTIFY", "", []string{`{"op":2,"d":[]}`}, -1, 4002, "IDENTIFY cannot be read: json: cannot unmarshal array into Go value of type local.identifyFrame"},
		{"twice", "", []string{good, good}, 2, 4005, "IDENTIFY came twice."},
		{"request that cannot be sent", "", []string{good, `{"op":4,"d":"refused"}`, `{"op":4,"d":"refused"}`}, 2, 4008, "A request cannot be sent to Discord: too many wait"},
		{"RESUME after IDENTIFY", "", []string{good, `{"op":6,"d":{}}`}, 2, 4005, "RESUME came after IDENTIFY."},
		{"etf", "?encoding=etf", nil, -1, 4002, `encoding "etf": this gateway speaks json; remove the erlpack package, or set the encoding.`},
		{"version", "?v=8", nil, -1, 4012, `API version "8": this gateway speaks 9 and 10.`},
		{"compression", "?compress=lz4", nil, -1, 4002, `compress "lz4" is unknown: zlib-stream or zstd-stream`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, nil)
			b := dial(t, s.URL()+test.query)
			b.says(hello)
			for _, f := range test.frames {
				b.send(f)
			}
			b.closes(test.code, test.reason)
			if got := take(t, s.refused); !strings.HasPrefix(got, fmt.Sprint(test.shard, " ", test.code, " ", test.reason)) {
				t.Errorf("told %s", got)
			}
		})
	}
}

// TestSecondBot: a shard is not taken from the bot that has it, but a RESUME takes it over.
func TestSecondBot(t *testing.T) {
	s := serve(t, nil)
	first := dial(t, s.URL())
	first.says(hello)
	first.identify()
	take(t, s.effects)
	second := dial(t, s.URL())
	second.identify()
	second.closes(4000, "Another connection has shard 2. Does the bot run twice?")
	s.ready()
	third := dial(t, s.URL())
	third.says(hello)
	third.send(`{"op":6,"d":{"token":"secret","session_id":"s9-1-1","seq":2}}`)
	third.says(`{"t":null,"s":null,"op":9,"d":false}`)
	third.send(`{"op":6,"d":{"token":"secret","session_id":"s1-1-1","seq":3}}`)
	third.says(`{"t":"RESUMED","s":3,"op":0,"d":{}}`)
	first.closes(4000, "The session was resumed by another connection.")

	// A session that Discord has lost: the same connection may identify again.
	s.With(2, func(sh *Shard, _ time.Time) { sh.Lost() })
	third.says(`{"t":null,"s":null,"op":9,"d":false}`)
	third.identify()
	s.ready()
	third.says(fmt.Sprintf(`{"t":"READY","s":1,"op":0,"d":{"user":{"id":"7"},"session_id":"s1-1-1","guilds":[{"id":"1","unavailable":true},{"id":"2","unavailable":true}],"private_channels":[],"resume_gateway_url":%q}}`, s.URL()))
}

// TestFlood: a client that asks faster than it reads is cut off, and costs no memory.
func TestFlood(t *testing.T) {
	s := serve(t, nil)
	c := &conn{s: s.Server, wake: make(chan struct{}, 1)}
	for range controlMax {
		if r := c.heartbeat(nil); r != nil {
			t.Fatal(r.reason)
		}
	}
	if r := c.heartbeat(nil); r == nil || r.code != closeFlood {
		t.Errorf("refused: %v", r)
	}
}

// FuzzFrames: whatever a bot sends, it is taken or refused.
func FuzzFrames(f *testing.F) {
	for _, frame := range []string{
		`{"op":1,"d":3}`, `{"op":2,"d":{"token":"secret","intents":1,"shard":[2,4],"presence":{}}}`,
		`{"op":6,"d":{"token":"secret","session_id":"s1-1-1","seq":2}}`, `{"op":8,"d":null}`, `{"op":3}`,
	} {
		f.Add([]byte(frame), []byte(frame))
	}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		s := &Server{cfg: ServerConfig{Token: "secret", Shards: []int{2}, ShardCount: 4}}
		s.bridges = map[int]*bridge{2: {id: 2, shard: New(Config{})}}
		c := &conn{s: s, wake: make(chan struct{}, 1)}
		for _, frame := range [][]byte{one, two} {
			if r := c.take(frame); r != nil && r.reason == "" {
				t.Errorf("%q is refused without a reason", frame)
			}
			for range 10 {
				c.next()
			}
		}
	})
}
