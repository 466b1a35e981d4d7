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
