package server

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/transport/discord/rules"
)

// call makes one request and returns status and body.
func call(t *testing.T, method, url, token, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	must(t, err)
	if token != "" {
		req.Header.Set("Authorization", token)
	}
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, strings.TrimSpace(string(raw))
}

func TestREST(t *testing.T) {
	const unauthorized = `{"message":"401: Unauthorized","code":0}`
	tests := []struct {
		name, method, path, token, body string
		status                          int
		// WS is replaced by the gateway's address; empty: not compared
		want string
	}{
		{"gateway", "GET", "/api/v10/gateway", "", "", 200, `{"url":"WS"}`},
		{"gateway, v9", "GET", "/api/v9/gateway", "", "", 200, `{"url":"WS"}`},
		{"gateway, a version that is not served", "GET", "/api/v8/gateway", "", "", 404, `{"message":"404: Not Found","code":0}`},
		{"gateway/bot, wrong token", "GET", "/api/v10/gateway/bot", "Bot bad", "", 401, unauthorized},
		{"gateway/bot, no token", "GET", "/api/v10/gateway/bot", "", "", 401, unauthorized},
		{"gateway/bot, without Bot", "GET", "/api/v10/gateway/bot", "good", "", 401, unauthorized},
		{"the user", "GET", "/api/v10/users/@me", "Bot good", "", 200,
			`{"id":"81384788765712384","username":"simulated","discriminator":"0000","global_name":null,"avatar":null,"banner":null,"accent_color":null,"avatar_decoration_data":null,"bot":true,"public_flags":0,` +
				`"verified":true,"mfa_enabled":true,"email":null,"flags":0}`},
		{"the application", "GET", "/api/v10/applications/@me", "Bot good", "", 200, ""},
		{"anything else", "GET", "/api/v10/nothing", "Bot good", "", 404, `{"message":"404: Not Found","code":0}`},
		{"the gateway without a websocket", "GET", "/?v=10", "", "", 404, `{"message":"404: Not Found","code":0}`},
		{"a fault", "POST", "/faults", "", `{"kind":"freeze","shard":3}`, 204, ""},
		{"no fault", "POST", "/faults", "", `{"kind":"explode"}`, 400, `{"message":"fault kind \"explode\" is unknown","code":0}`},
		{"a long fault", "POST", "/faults", "", `"` + strings.Repeat("x", bodyMax) + `"`, 413, `{"message":"body over 65536 bytes","code":0}`},
		{"settings", "POST", "/settings", "", `{"jitter_ms":80,"events_per_second":1}`, 204, ""},
		{"unknown settings", "POST", "/settings", "", `{"jitter":80}`, 400, `{"message":"json: unknown field \"jitter\"","code":0}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, base := start(t, Config{})
			status, body := call(t, tt.method, base+tt.path, tt.token, tt.body)
			want := strings.Replace(tt.want, "WS", "ws"+strings.TrimPrefix(base, "http"), 1)
			if status != tt.status || tt.want != "" && body != want {
				t.Fatalf("got %d %s, want %d %s", status, body, tt.status, want)
			}
		})
	}
}

func TestGatewayBot(t *testing.T) {
	_, base := start(t, Config{Rules: rules.Config{ShardCount: 16, MaxConcurrency: 2, IdentifyTotal: 100, IdentifyRemaining: 7}})
	status, body := call(t, "GET", base+"/api/v10/gateway/bot", "Bot good", "")
	var got rules.GatewayBot
	must(t, json.Unmarshal([]byte(body), &got))
	if reset := time.Duration(got.SessionStartLimit.ResetAfter) * time.Millisecond; reset > 24*time.Hour || reset < 23*time.Hour {
		t.Fatalf("reset after %s, want a day", reset)
	}
	got.SessionStartLimit.ResetAfter = 0
	want := rules.GatewayBot{URL: "ws" + strings.TrimPrefix(base, "http"), Shards: 16,
		SessionStartLimit: rules.SessionStartLimit{Total: 100, Remaining: 7, MaxConcurrency: 2}}
	if status != 200 || got != want {
		t.Fatalf("got %d %+v, want %+v", status, got, want)
	}
}

func TestStats(t *testing.T) {
	s, base := start(t, Config{Rules: rules.Config{ShardCount: 2, IdentifyEvery: time.Nanosecond}})
	a := hello(t, base)
	a.ready(0, 2)
	if s.Stats().AllReadyAt != nil {
		t.Fatal("all ready with one of two")
	}
	hello(t, base).ready(1, 2)
	_, body := call(t, "GET", base+"/stats", "", "")
	var got struct {
		Identifies, Owned int
		ShardCount        int       `json:"shard_count"`
		AllReadyAt        time.Time `json:"all_ready_at"`
		Shards            []struct{ Shard, Readies int }
		ViolationLog      []any `json:"violation_log"`
	}
	must(t, json.Unmarshal([]byte(body), &got))
	if got.Identifies != 2 || got.Owned != 2 || got.ShardCount != 2 || got.AllReadyAt.IsZero() || len(got.Shards) != 2 || got.ViolationLog == nil {
		t.Fatalf("got %+v of %s", got, body)
	}
	if strings.Contains(body, "good") {
		t.Fatal("the token is in the stats")
	}
}

func TestFaults(t *testing.T) {
	s, base := start(t, Config{Rules: rules.Config{IdentifyEvery: time.Nanosecond}})
	fault := func(body string) {
		t.Helper()
		if status, why := call(t, "POST", base+"/faults", "", body); status != 204 {
			t.Fatalf("%s: %d %s", body, status, why)
		}
	}
	b := hello(t, base)
	b.ready(0, 1)
	fault(`{"kind":"reconnect"}`)
	b.want(7, "")

	fault(`{"kind":"freeze","shard":0}`)
	s.Emit(rules.Emit{Shard: 0})
	if e := s.Score().Events; e.Emitted != 1 || e.Delivered != 0 {
		t.Fatalf("frozen: %+v", e)
	}
	fault(`{"kind":"thaw","shard":0}`)
	if got := b.content(); got != "1" {
		t.Fatalf("thawed: event %s, want 1", got)
	}

	fault(`{"kind":"invalidate","shard":0}`)
	if f := b.want(9, ""); string(f.D) != "false" {
		t.Fatalf("op 9 %s, want false", f.D)
	}
	b.ready(0, 1) // the connection stays

	fault(`{"kind":"close","shard":0,"code":4008}`)
	if code, _ := b.closed(); code != 4008 {
		t.Fatalf("closed with %d, want 4008", code)
	}

	fault(`{"kind":"outage_on"}`)
	if status, _ := call(t, "GET", base+"/api/v10/gateway/bot", "Bot good", ""); status != 503 {
		t.Fatalf("REST in an outage: %d, want 503", status)
	}
	if _, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(base, "http")+"/?v=10", nil); err == nil || resp == nil || resp.StatusCode != 503 {
		t.Fatalf("gateway in an outage: %v, want 503", err)
	}
	fault(`{"kind":"outage_off"}`)

	fault(`{"kind":"refuse_token"}`)
	c := hello(t, base)
	c.identify(0, 1)
	if code, _ := c.closed(); code != 4004 {
		t.Fatalf("closed with %d, want 4004", code)
	}
	fault(`{"kind":"accept_token"}`)
	hello(t, base).ready(0, 1)

	if err := s.Fault(rules.Fault{Kind: "explode"}); err == nil {
		t.Fatal("an unknown fault was taken")
	}
}
