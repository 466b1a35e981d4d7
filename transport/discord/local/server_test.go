package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// patience bounds the wait for what must come.
const patience = 20 * time.Second

// served is a server, and what it reported.
type served struct {
	*Server
	effects chan string
	refused chan string
}

func serve(t testing.TB, edit func(*ServerConfig)) served {
	t.Helper()
	s := served{effects: make(chan string, 100), refused: make(chan string, 100)}
	cfg := ServerConfig{
		Token: "secret", Shards: []int{2, 3}, ShardCount: 4, Each: Config{Ring: 1 << 20},
		Effect: func(shard int, e Effect) error {
			s.effects <- fmt.Sprint(shard, " ", effectText(e))
			if send, ok := e.(Send); ok && string(send.Data) == `"refused"` {
				return errors.New("too many wait")
			}
			return nil
		},
		Refused: func(shard, code int, reason string) { s.refused <- fmt.Sprint(shard, " ", code, " ", reason) },
	}
	if edit != nil {
		edit(&cfg)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if s.Server, err = Serve(l, cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// ready begins Discord's session of shard 2, with one guild and an event.
func (s served) ready() {
	s.With(2, func(sh *Shard, now time.Time) {
		sh.Dispatch(now, 1, "READY", readyOf("s1"))
		sh.Dispatch(now, 2, "GUILD_CREATE", []byte(`{"id":"1","name":"é"}`))
		sh.Dispatch(now, 3, "TICK", []byte(`{"n": 1}`))
	})
}

func take(t testing.TB, from <-chan string) string {
	t.Helper()
	select {
	case s := <-from:
		return s
	case <-time.After(patience):
		t.Fatal("nothing was told")
		return ""
	}
}

// TestServe is a bot's first minute, in every compression: what Discord sent arrives byte for byte.
func TestServe(t *testing.T) {
	for _, query := range []string{"", "/?v=10&encoding=json", "//?v=9&compress=zlib-stream", "?compress=zstd-stream"} {
		t.Run(query, func(t *testing.T) {
			s := serve(t, nil)
			b := dial(t, s.URL()+query)
			b.says(hello)
			b.identify()
			if got := take(t, s.effects); got != "2 identify 513" {
				t.Fatalf("effect %s", got)
			}
			s.ready()
			b.says(fmt.Sprintf(`{"t":"READY","s":1,"op":0,"d":{"user":{"id":"7"},"session_id":"s1-1-1","guilds":[{"id":"1","unavailable":true},{"id":"2","unavailable":true}],"private_channels":[],"resume_gateway_url":%q}}`, s.URL()))
			b.says(`{"t":"GUILD_CREATE","s":2,"op":0,"d":{"id":"1","name":"é"}}`)
			b.says(`{"t":"TICK","s":3,"op":0,"d":{"n": 1}}`)
			b.send(`{"op":1,"d":2}`)
			b.says(ack)
			s.With(2, func(sh *Shard, _ time.Time) {
				if _, seq, _ := sh.Session(); seq != 2 {
					t.Errorf("acknowledged up to %d, want 2", seq)
				}
			})
			b.send(`{"op":3,"d":{"status":"idle"}}`)
			if got := take(t, s.effects); got != `2 send op 3 {"status":"idle"}` {
				t.Fatalf("effect %s", got)
			}
			// The connection breaks, and the session goes on in another.
			_ = b.ws.Close()
			b = dial(t, s.URL()+query)
			b.says(hello)
			b.send(`{"op":6,"d":{"token":"secret","session_id":"s1-1-1","seq":2}}`)
			b.says(`{"t":"TICK","s":3,"op":0,"d":{"n": 1}}`)
			closed := make(chan error)
			go func() { closed <- s.Close() }()
			b.closes(4000, "The gateway host stops.")
			if err := <-closed; err != nil {
				t.Error(err)
			}
		})
	}
}

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

// TestDied: a process that is known to be dead leaves its shard to the next one at once.
func TestDied(t *testing.T) {
	s := serve(t, nil)
	first := dial(t, s.URL())
	first.identify()
	take(t, s.effects)
	s.ready()
	s.Died(true)
	second := dial(t, s.URL())
	second.says(hello)
	second.identify()
	var ready struct{ T string }
	if err := second.text.Decode(&ready); err != nil || ready.T != "READY" {
		t.Errorf("the next process got %+v (%v)", ready, err)
	}
	first.closes(4000, "The process has ended.")
}

// TestSilent: pings find out whether the process lives; one that lives and sends no heartbeat loses
// its connection.
func TestSilent(t *testing.T) {
	s := serve(t, func(c *ServerConfig) { c.Ping, c.Heartbeat = 10*time.Millisecond, 100*time.Millisecond })
	b := dial(t, s.URL())
	b.identify()
	take(t, s.effects)
	at, connected := s.Heard(2)
	if !connected {
		t.Fatal("not connected")
	}
	b.closes(4009, "No heartbeat came within 210ms.")
	if got := take(t, s.refused); got != "2 4009 No heartbeat came within 210ms." {
		t.Errorf("reported %s", got)
	}
	if later, connected := s.Heard(2); connected && !later.After(at) {
		t.Error("answers to pings were not heard")
	}
	if _, connected := s.Heard(3); connected {
		t.Error("shard 3 has a connection")
	}
	if _, connected := s.Heard(0); connected {
		t.Error("a foreign shard has a connection")
	}
}

// TestMeasured: a library that takes the time to the acknowledgement for the latency gets none for
// a heartbeat that it was asked for, and one for its own after it has noted when it sent it.
func TestMeasured(t *testing.T) {
	for browser, measures := range map[string]bool{"discord.py": true, "Pycord": true, "discord.js": false} {
		s := serve(t, nil)
		b := dial(t, s.URL())
		b.says(hello)
		b.send(fmt.Sprintf(`{"op":2,"d":{"token":"secret","shard":[2,4],"intents":513,"properties":{"browser":%q}}}`, browser))
		take(t, s.effects)
		s.ready()
		for last := ""; !strings.Contains(last, "TICK"); {
			var got json.RawMessage
			if err := b.text.Decode(&got); err != nil {
				t.Fatal(err)
			}
			last = string(got)
		}
		s.With(2, func(sh *Shard, _ time.Time) {
			sh.talk.settled, sh.talk.owed = true, 1 // it is asked no more
		})
		sent := time.Now()
		b.send(`{"op":1,"d":1}`) // the answer
		if !measures {
			b.says(ack)
			continue
		}
		b.send(`{"op":1,"d":1}`) // its own
		b.says(ack)
		if took := time.Since(sent); took < ackAfter {
			t.Errorf("%s: acknowledged after %v, want %v at least", browser, took, ackAfter)
		}
	}
}

// TestFlood: who asks faster than it reads is cut off, and costs no memory.
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

func TestRest(t *testing.T) {
	discord := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s as %s", r.Method, r.URL, r.Header.Get("Authorization"))
	}))
	defer discord.Close()
	s := serve(t, func(c *ServerConfig) { c.API, _ = url.Parse(discord.URL) })
	base := "http" + strings.TrimPrefix(s.URL()[:strings.LastIndexByte(s.URL(), '/')], "ws")
	for _, test := range []struct {
		path, token string
		status      int
		body        string
	}{
		{"/api/v10/gateway", "secret", 200, fmt.Sprintf(`{"url":%q}`, s.URL())},
		{"/api/v10/gateway", "", 200, fmt.Sprintf(`{"url":%q}`, "ws"+strings.TrimPrefix(base, "http"))},
		{"/api/v10/gateway", "Bot other", 200, fmt.Sprintf(`{"url":%q}`, "ws"+strings.TrimPrefix(base, "http"))},
		{"/api/gateway/bot", "Bot secret", 200, fmt.Sprintf(`{"session_start_limit":{"max_concurrency":4,"remaining":1000,"reset_after":0,"total":1000},"shards":4,"url":%q}`, s.URL())},
		{"/api/v9/gateway/bot", "Bot other", 401, `{"code":0,"message":"401: Unauthorized"}`},
		{"/api/v10/users/@me?x=1", "Bot secret", 200, "GET /api/v10/users/@me?x=1 as Bot secret"},
		{"/", "Bot secret", 404, `{"code":0,"message":"404: Not Found"}`},
		{"/other", "", 404, `{"code":0,"message":"404: Not Found"}`},
	} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, base+test.path, nil)
		r.Header.Set("Authorization", test.token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != test.status || strings.TrimSpace(string(body)) != test.body {
			t.Errorf("%s: %d %s, want %d %s", test.path, resp.StatusCode, body, test.status, test.body)
		}
	}
	if _, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(base, "http")+"/guess", nil); err == nil || resp.StatusCode != 404 {
		t.Errorf("a guessed path: %v", err)
	}
}

// A library that asks for the gateway's URL without the token gets one that a browser cannot use.
func TestGatewayAtTheRoot(t *testing.T) {
	s := serve(t, nil)
	root := s.URL()[:strings.LastIndexByte(s.URL(), '/')]
	b := dial(t, root+"/?v=10&encoding=json")
	b.says(hello)
	b.identify()
	if got := take(t, s.effects); got != "2 identify 513" {
		t.Errorf("effect %s", got)
	}
	page := http.Header{"Origin": {"https://a-page.example"}}
	if _, resp, err := websocket.DefaultDialer.Dial(root, page); err == nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("a page: %v", err)
	}
}

// Connections of strangers, whatever they do without the token, leave room for the bot's.
func TestStrangersLeaveRoom(t *testing.T) {
	s := serve(t, nil)
	b := dial(t, s.URL())
	b.says(hello)
	b.identify()
	if got := take(t, s.effects); got != "2 identify 513" {
		t.Fatalf("effect %s", got)
	}
	address := strings.TrimPrefix(s.URL()[:strings.LastIndexByte(s.URL(), '/')], "ws://")
	for i := range 3 * restMax {
		if i%2 == 0 {
			dial(t, s.URL())
			continue
		}
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	second := dial(t, s.URL())
	second.says(hello)
	second.send(`{"op":2,"d":{"token":"secret","intents":513,"shard":[3,4]}}`)
	if got := take(t, s.effects); got != "3 identify 513" {
		t.Errorf("effect %s", got)
	}
	b.send(`{"op":1,"d":null}`)
	b.says(ack)
}

// far is a listener that is not on the loopback interface.
type far struct{ net.Listener }

func (far) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1} }

func TestLoopbackOnly(t *testing.T) {
	if _, err := Serve(far{}, ServerConfig{}); err == nil || err.Error() != "gateway on 10.0.0.1:1: want a loopback address" {
		t.Errorf("got %v", err)
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
