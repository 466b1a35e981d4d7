package server

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/transport/discord/rules"
)

func TestReady(t *testing.T) {
	_, base := start(t, Config{Rules: rules.Config{Guilds: 3}})
	b := hello(t, base)
	r := b.ready(1, 2)
	if r.Shard != [2]int{1, 2} || len(r.SessionID) != 32 || len(r.Guilds) != 2 || r.ResumeGatewayURL != "ws"+strings.TrimPrefix(base, "http")+"/gateway" {
		t.Fatalf("READY %+v", r)
	}
	for i, g := range r.Guilds {
		f := b.want(0, "GUILD_CREATE")
		if id, _ := strconv.ParseUint(g.ID, 10, 64); (id>>22)%2 != 1 || !strings.Contains(string(f.D), g.ID) || f.S != int64(i+2) {
			t.Errorf("guild %s came as #%d %s", g.ID, f.S, f.D)
		}
	}
	b.send(`{"op":1,"d":3}`)
	b.want(11, "")
}

// READY has the version of its connection.
func TestVersions(t *testing.T) {
	for _, version := range apiVersions {
		_, base := start(t, Config{})
		b := dial(t, base, fmt.Sprintf("/?v=%d&encoding=json", version))
		b.want(10, "")
		if r := b.ready(0, 1); r.V != version {
			t.Errorf("READY has v %d on a connection of v=%d", r.V, version)
		}
	}
}

// Everything that ends in a close code, from the address to the contents.
func TestCloseCodes(t *testing.T) {
	const json = "/?v=10&encoding=json"
	tests := []struct {
		name, path string
		frames     []string
		code       int
		reason     string
	}{
		{"version 8", "/?v=8&encoding=json", nil, 4012, "Invalid API version. This gateway serves v=9 and v=10."},
		{"no version", "/", nil, 4012, "Invalid API version. This gateway serves v=9 and v=10."},
		{"etf", "/?v=10&encoding=etf", nil, 1003, "This simulated gateway speaks encoding=json only."},
		{"unknown compression", "/?v=10&encoding=json&compress=lz4", nil, 1003, `compress "lz4" is unknown: zlib-stream or zstd-stream`},
		{"no JSON", json, []string{`{`}, 4002, "Error while decoding payload."},
		{"no op", json, []string{`{"d":null}`}, 4002, "Error while decoding payload."},
		{"a token that is a number", json, []string{`{"op":2,"d":{"token":1}}`}, 4002, "Error while decoding payload."},
		{"4,097 bytes", json, []string{`{"op":1,"d":null,"x":"` + strings.Repeat("x", 4097-24) + `"}`}, 4002, "Error while decoding payload."},
		{"a megabyte", json, []string{strings.Repeat("x", 1<<20)}, 4002, "Error while decoding payload."},
		{"unknown op", json, []string{`{"op":5}`}, 4001, "Unknown opcode."},
		{"presence first", json, []string{`{"op":3,"d":{"activities":[],"status":"dnd"}}`}, 4003, "Not authenticated."},
		{"wrong token", json, []string{`{"op":2,"d":{"token":"bad","intents":0,"shard":[0,1]}}`}, 4004, "Authentication failed."},
		{"twice", json, []string{`{"op":2,"d":{"token":"Bot good","intents":0}}`, `{"op":2,"d":{"token":"good","intents":0}}`}, 4005, "Already authenticated."},
		{"seq of another", json, []string{`{"op":6,"d":{"token":"bad","session_id":"x","seq":9}}`}, 4004, "Authentication failed."},
		{"shard 2 of 2", json, []string{`{"op":2,"d":{"token":"good","intents":0,"shard":[2,2]}}`}, 4010, "Invalid shard."},
		{"no intents", json, []string{`{"op":2,"d":{"token":"good","shard":[0,1]}}`}, 4013, "Invalid intent(s)."},
		{"disallowed intents", json, []string{`{"op":2,"d":{"token":"good","intents":32768,"shard":[0,1]}}`}, 4014, "Disallowed intent(s)."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, base := start(t, Config{Rules: rules.Config{DisallowedIntents: 1 << 15}})
			b := dial(t, base, tt.path)
			for _, f := range tt.frames {
				b.send("%s", f)
			}
			if code, reason := b.closed(); code != tt.code || reason != tt.reason {
				t.Fatalf("got %d %q, want %d %q", code, reason, tt.code, tt.reason)
			}
		})
	}
}

// A frame of exactly 4,096 bytes is accepted.
func TestLongestFrame(t *testing.T) {
	_, base := start(t, Config{})
	b := hello(t, base)
	b.send("%s", `{"op":1,"d":null,"x":"`+strings.Repeat("x", 4096-24)+`"}`)
	b.want(11, "")
}

func TestViolation(t *testing.T) {
	s, base := start(t, Config{Rules: rules.Config{IdentifyEvery: time.Hour}})
	a, b := hello(t, base), hello(t, base)
	a.ready(0, 2)
	b.identify(1, 2)
	if f := b.want(9, ""); string(f.D) != "false" {
		t.Fatalf("op 9 %s, want false", f.D)
	}
	score := s.Score()
	if score.Violations != 1 || score.ViolationLog[0].Shard != 1 || score.ViolationLog[0].PreviousShard != 0 {
		t.Fatalf("score %d %+v", score.Violations, score.ViolationLog)
	}
}

func TestResume(t *testing.T) {
	tests := []struct {
		name, path string
		elsewhere  int
	}{
		{"at resume_gateway_url", "/gateway?v=10&encoding=json", 0},
		{"with a slash before the query", "/gateway/?v=10&encoding=json", 0},
		{"with two", "/gateway//?v=10&encoding=json", 0},
		{"at the address of /gateway/bot", "/?v=10&encoding=json", 1},
		{"at the address of /gateway/bot, with another slash", "//?v=10&encoding=json", 1},
		{"at the address of /gateway/bot, without a slash", "?v=10&encoding=json", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, base := start(t, Config{})
			a := hello(t, base)
			r := a.ready(0, 1)
			s.Emit(rules.Emit{Shard: 0})
			if got := a.content(); got != "1" {
				t.Fatalf("event %s, want 1", got)
			}
			must(t, s.Fault(rules.Fault{Kind: rules.FaultClose, Shard: 0, Code: rules.CloseVanished}))
			if code, why := a.closed(); code != rules.CloseVanished {
				t.Fatalf("got %d %s, want no close frame", code, why)
			}
			s.Emit(rules.Emit{Shard: 0})
			s.Emit(rules.Emit{Shard: 0})
			b := dial(t, base, tt.path)
			b.want(10, "")
			b.resume(r, 2)
			for _, want := range []string{"2", "3"} {
				if got := b.content(); got != want {
					t.Fatalf("replayed %s, want %s", got, want)
				}
			}
			if f := b.want(0, "RESUMED"); f.S != 5 {
				t.Fatalf("RESUMED #%d, want 5", f.S)
			}
			stats := s.Stats()
			if stats.Resumes != 1 || stats.ResumesElsewhere != tt.elsewhere || stats.Identifies != 1 || stats.Events.Delivered != 3 || stats.Events.Replayed != 0 {
				t.Fatalf("stats %+v elsewhere %d", stats.Counts, stats.ResumesElsewhere)
			}
		})
	}
}

// The client's close code decides whether its session ends.
func TestClientCloses(t *testing.T) {
	for code, kept := range map[int]bool{1000: false, 1001: false, 4000: true, 4901: true} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			_, base := start(t, Config{})
			a := hello(t, base)
			r := a.ready(0, 1)
			must(t, a.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(patience)))
			a.closed() // the server has read it
			b := hello(t, base)
			b.resume(r, 1)
			if kept {
				b.want(0, "RESUMED")
			} else if f := b.want(9, ""); string(f.D) != "false" {
				t.Fatalf("op 9 %s, want false", f.D)
			}
		})
	}
}

func TestSilenceEndsInClose(t *testing.T) {
	_, base := start(t, Config{Rules: rules.Config{HeartbeatInterval: 20 * time.Millisecond}})
	if code, reason := hello(t, base).closed(); code != 4009 {
		t.Fatalf("got %d %s, want 4009", code, reason)
	}
}

func TestCompression(t *testing.T) {
	for _, kind := range []string{"zlib-stream", "zstd-stream"} {
		t.Run(kind, func(t *testing.T) {
			s, base := start(t, Config{Rules: rules.Config{Guilds: 100}})
			b := dial(t, base, "/?v=10&encoding=json&compress="+kind)
			b.inflate(kind)
			b.want(10, "")
			b.ready(0, 1)
			for range 100 {
				b.want(0, "GUILD_CREATE")
			}
			s.Emit(rules.Emit{Shard: 0})
			if got := b.content(); got != "1" {
				t.Fatalf("event %s, want 1", got)
			}
			must(t, s.Fault(rules.Fault{Kind: rules.FaultClose, Shard: 0, Code: 4000}))
			if code, _ := b.closed(); code != 4000 {
				t.Fatalf("closed with %d, want 4000", code)
			}
		})
	}
}

// Each zlib message ends at a sync flush: clients wait for these four bytes.
func TestZlibSuffix(t *testing.T) {
	_, base := start(t, Config{})
	b := dial(t, base, "/?v=10&encoding=json&compress=zlib-stream")
	kind, raw, err := b.ws.ReadMessage()
	must(t, err)
	if kind != websocket.BinaryMessage || !strings.HasSuffix(string(raw), "\x00\x00\xff\xff") {
		t.Fatalf("message of kind %d: % x", kind, raw)
	}
}

func TestEventStream(t *testing.T) {
	_, base := start(t, Config{Rules: rules.Config{MaxConcurrency: 2}, EventsPerSecond: 200})
	for shard := range 2 {
		b := hello(t, base)
		b.ready(shard, 2)
		first, _ := strconv.Atoi(b.content())
		for n := first + 1; n < first+20; n++ {
			if got := b.content(); got != strconv.Itoa(n) {
				t.Fatalf("shard %d: event %s, want %d", shard, got, n)
			}
		}
	}
}

// With jitter everything still arrives, in order, both ways.
func TestJitterKeepsOrder(t *testing.T) {
	s, base := start(t, Config{Jitter: 5 * time.Millisecond, Seed: 1})
	b := hello(t, base)
	b.send(`{"op":1,"d":null}`) // before IDENTIFY, and answered before READY
	b.identify(0, 1)
	b.want(11, "")
	b.want(0, "READY")
	for range 50 {
		s.Emit(rules.Emit{Shard: 0})
	}
	for n := 1; n <= 50; n++ {
		if got := b.content(); got != strconv.Itoa(n) {
			t.Fatalf("event %s, want %d", got, n)
		}
	}
}

// A thousand shards at once, each READY and with its events.
func TestThousandConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("1,000 connections")
	}
	const n = 1000
	s, base := start(t, Config{Rules: rules.Config{MaxConcurrency: n, ShardCount: n}, EventsPerSecond: 2})
	began := time.Now()
	bots := make([]*bot, n)
	for i := range bots {
		bots[i] = hello(t, base)
		bots[i].identify(i, n)
	}
	for i, b := range bots {
		b.want(0, "READY")
		for range 3 {
			b.content()
		}
		if i == 0 {
			t.Logf("all identified after %s", time.Since(began))
		}
	}
	t.Logf("3 events each after %s", time.Since(began))
	stats := s.Stats()
	if stats.AllReadyAt == nil || stats.Owned != n || stats.Violations != 0 || stats.Events.Lost != 0 {
		t.Fatalf("all ready %v, %+v", stats.AllReadyAt, stats.Counts)
	}
}

// Close breaks every connection, and the score outlives it.
func TestClose(t *testing.T) {
	s, base := start(t, Config{})
	b := hello(t, base)
	b.ready(0, 1)
	must(t, s.Close())
	if code, _ := b.closed(); code != rules.CloseVanished {
		t.Fatalf("closed with %d, want the connection broken", code)
	}
	if got := s.Score().Identifies; got != 1 {
		t.Fatalf("identifies %d, want 1", got)
	}
	if _, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(base, "http")+"/?v=10", nil); err == nil {
		t.Fatal("still listening")
	}
	must(t, s.Fault(rules.Fault{Kind: rules.FaultOutageOn})) // does nothing, and does not hang
	must(t, s.Close())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(fmt.Errorf("unexpected: %w", err))
	}
}
