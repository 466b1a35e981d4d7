package admin

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// stub is a Control with one view and a script.
type stub struct {
	mu      sync.Mutex
	view    messages.View
	verdict messages.Verdict
	orders  []messages.Order
	asked   []messages.Ask
	answers messages.AskAnswer
	fleet   []messages.FleetOrder
	follows []messages.Follow
	kept    messages.EventBatch
}

func (s *stub) GetView(m messages.GetView) { m.Answer(s.view) }

func (s *stub) Order(m messages.Order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders = append(s.orders, m)
	m.Answer(s.verdict)
}

func (s *stub) Ask(m messages.Ask) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, m)
	m.Answer(s.answers)
}

func (s *stub) Follow(m messages.Follow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Deliver(s.kept) {
		s.follows = append(s.follows, m)
	}
}

func (s *stub) OrderFleet(m messages.FleetOrder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fleet = append(s.fleet, m)
	m.Answer(s.verdict)
}

func (s *stub) GetFleetView(m messages.GetFleetView) { m.Answer(aFleet()) }

// aFleet is two machines, one of them away.
func aFleet() messages.FleetView {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return messages.FleetView{At: at, State: "serving", Started: at, Epoch: 3, ShardCount: 8, MaxConcurrency: 4, ShardsPerCluster: 4, ShardsReady: 3,
		Budget: &messages.IdentifyBudget{Total: 1000, Remaining: 600, Reserve: 8, ResetAt: at.Add(time.Hour)}, Machines: []messages.FleetMachine{
			{Source: "m1", Host: "box", State: messages.MachineIsLinked, Linked: true, Granted: []messages.ShardRange{{First: 0, Last: 3}}, ShardsReady: 3,
				Ranges: []messages.RangeInfo{{Range: messages.ShardRange{First: 0, Last: 3}, State: messages.RangeConnecting, Epoch: 3}}, Clusters: messages.ClusterCounts{Starting: 1}},
			{Source: "m2", Host: "other", State: messages.MachineIsAway, AwaySince: &at, Granted: []messages.ShardRange{{First: 4, Last: 7}}, Ranges: []messages.RangeInfo{}, ShardsReady: 4},
		}}
}

// send sends a batch to every follower, and returns how many are left.
func (s *stub) send(t messages.EventBatch) (left int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept []messages.Follow
	for _, f := range s.follows {
		if f.Deliver(t) {
			kept = append(kept, f)
		}
	}
	s.follows = kept
	return len(kept)
}

func (s *stub) ordered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.orders)
}

// aView is a machine with two clusters, one of them starting.
func aView() messages.View {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return messages.View{
		LastEvent: 7, At: at,
		Machine: messages.MachineView{Source: "m1", Version: "1.0", Host: "box", PID: 1, Started: at, ShardCount: 8, MaxConcurrency: 4, ShardsPerCluster: 4, Shards: 8, ShardsReady: 5,
			Master: messages.MasterView{URL: "ws://m", Up: true, Since: at, Epoch: 1}, Clusters: messages.ClusterCount{Serving: 1, Starting: 1}},
		Clusters: []messages.ClusterView{
			{Cluster: 0, Shards: messages.ShardRange{First: 0, Last: 3}, State: messages.ClusterServing, Since: at, PID: 10, ShardsReady: 4, States: "RRRR", LatencyMS: []messages.Milliseconds{40, 60, 0, 0}, Events: []float64{2.5, 0, -1, -1}, Guilds: 9,
				Waiting: []int{0, 5, 7, -1}, WaitingMS: []messages.Milliseconds{0, 61_500, 60_000, 0}, Lagging: []int{1, 2}, Deaf: []int{1},
				Host: &messages.HostMemory{GuildsBytes: 5_400_000, EventsBytes: 24_000, EventsMax: 128_000_000}},
			{Cluster: 1, Shards: messages.ShardRange{First: 4, Last: 7}, State: messages.ClusterConnecting, Since: at, PID: 11, ShardsReady: 1, Restarts: 1, States: "Rwi.", LatencyMS: []messages.Milliseconds{0, 0, 0, 0}, Events: []float64{-1, -1, -1, -1},
				ShardsLate: 3, ShardsStuck: 1, Stuck: &messages.StuckShard{Shard: 7, State: messages.ShardIdle, Since: at, Reason: "it neither connects nor asks for a permit"},
				Death:  &messages.Death{At: at, Cause: messages.CauseMute, Err: "no heartbeat for 10s"},
				GaveUp: &messages.ClusterGaveUp{Cluster: 1, Shards: "4-7", Attempts: 4, Cause: messages.CauseMute, Causes: []string{"mute: no heartbeat for 10s"}, Output: "last words"}},
		},
		Sessions: []messages.SessionView{{Shard: 0, Cluster: 0, Seq: 12, At: at}, {Shard: 4, Cluster: 1, Seq: 3, At: at, Orphaned: &at}},
		Counters: messages.Counters{Events: map[string]int{"cluster.died": 1}, Failures: map[messages.Cause]int{messages.CauseMute: 1}, Restarts: map[messages.Cause]int{messages.CauseMute: 1},
			AlertsLost: map[messages.AlertChannel]int{messages.AlertWebhook: 3},
			Identifies: map[messages.IdentifyCause]int{messages.CauseStart: 5}, Waits: []int{4, 0, 0, 1, 0, 0, 0, 0}, WaitCount: 5, WaitSum: 5 * time.Second},
	}
}

// serve starts a server over TCP, and returns its address.
func serve(t *testing.T, o Options, c *stub) (s *Server, at string) {
	t.Helper()
	return serveOf(t, o, c, c)
}

// serveOf is serve for a machine, a fleet, or both.
func serveOf(t *testing.T, o Options, c Control, f Fleet) (s *Server, at string) {
	t.Helper()
	s = New(o, c, f)
	t.Cleanup(s.Close)
	at, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return s, at
}

// request performs one request. headers are "Name: value"; a Host is one, too.
func request(t *testing.T, at, method, path, body string, headers ...string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+at+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
		if name == "Host" {
			r.Host = value
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

const asJSON = "Content-Type: application/json"

// Every reason to refuse a request, and beside it one that is accepted.
func TestRefusals(t *testing.T) {
	const restart, machine = "/api/v1/clusters/1/restart", "/api/v1/machine"
	bearer := "Authorization: Bearer the-token"
	for name, c := range map[string]struct {
		token        messages.Secret
		method, path string
		body         string
		headers      []string
		status       int
		code         string // of the problem; "": none
	}{
		"by address":                 {"", "GET", machine, "", nil, 200, ""},
		"by localhost":               {"", "GET", machine, "", []string{"Host: localhost:8643"}, 200, ""},
		"by IPv6's loopback":         {"", "GET", machine, "", []string{"Host: [::1]:8643"}, 200, ""},
		"by a configured name":       {"", "GET", machine, "", []string{"Host: Control.example:8643"}, 200, ""},
		"by another name":            {"", "GET", machine, "", []string{"Host: evil.example"}, 421, "host"},
		"by a name that begins well": {"", "GET", machine, "", []string{"Host: localhost.evil.example"}, 421, "host"},
		"by an address of others":    {"", "GET", machine, "", []string{"Host: 10.0.0.1"}, 421, "host"},
		"without a token":            {"the-token", "GET", machine, "", nil, 401, "token"},
		"with a wrong token":         {"the-token", "GET", machine, "", []string{bearer + "x"}, 401, "token"},
		"with half a token":          {"the-token", "GET", machine, "", []string{"Authorization: Bearer the"}, 401, "token"},
		"with the token":             {"the-token", "GET", machine, "", []string{bearer}, 200, ""},
		"with the token as password": {"the-token", "GET", machine, "", []string{"Authorization: Basic eDp0aGUtdG9rZW4="}, 200, ""},
		"metrics want it":            {"the-token", "GET", "/metrics", "", nil, 401, "token"},
		"health does not":            {"the-token", "GET", "/healthz", "", nil, 200, ""},
		"an order":                   {"", "POST", restart, `{}`, []string{asJSON}, 202, ""},
		"an order without a body":    {"", "POST", restart, ``, []string{asJSON}, 202, ""},
		"an order with the token":    {"the-token", "POST", restart, `{"fresh":true}`, []string{asJSON, bearer}, 202, ""},
		"an order without the token": {"the-token", "POST", restart, `{}`, []string{asJSON}, 401, "token"},
		"a form":                     {"", "POST", restart, `a=b`, []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "not_json"},
		"a text":                     {"", "POST", restart, `{}`, []string{"Content-Type: text/plain"}, 415, "not_json"},
		"no type":                    {"", "POST", restart, `{}`, nil, 415, "not_json"},
		"a page of ours":             {"", "POST", restart, `{}`, []string{asJSON, "Sec-Fetch-Site: same-origin"}, 202, ""},
		"a page of another site":     {"", "POST", restart, `{}`, []string{asJSON, "Sec-Fetch-Site: cross-site"}, 403, "origin"},
		"an origin that is not ours": {"", "POST", restart, `{}`, []string{asJSON, "Origin: http://evil.example"}, 403, "origin"},
		"an origin of another port":  {"", "POST", restart, `{}`, []string{asJSON, "Origin: http://127.0.0.1:1"}, 403, "origin"},
		"an unknown field":           {"", "POST", restart, `{"fres":true}`, []string{asJSON}, 400, "bad_body"},
		"a wrong type":               {"", "POST", restart, `{"fresh":1}`, []string{asJSON}, 400, "bad_body"},
		"two values":                 {"", "POST", restart, `{} {}`, []string{asJSON}, 400, "bad_body"},
		"cut":                        {"", "POST", restart, `{"fresh":`, []string{asJSON}, 400, "bad_body"},
		"too long":                   {"", "POST", restart, `{"fresh":` + strings.Repeat(" ", bodyMax) + `true}`, []string{asJSON}, 413, "too_large"},
		"a field where none belongs": {"", "POST", "/api/v1/clusters/1/stop", `{"fresh":true}`, []string{asJSON}, 400, "bad_body"},
		"no number":                  {"", "POST", "/api/v1/clusters/x/stop", ``, []string{asJSON}, 400, "bad_number"},
		"a number below zero":        {"", "GET", "/api/v1/clusters/-1", "", nil, 400, "bad_number"},
		"a cluster of others":        {"", "GET", "/api/v1/clusters/2", "", nil, 404, "unknown"},
		"a shard of others":          {"", "GET", "/api/v1/shards/8", "", nil, 404, "unknown"},
		"a guild that is none":       {"", "GET", "/api/v1/whereis/abc", "", nil, 400, "bad_number"},
		"a level that is none":       {"", "GET", "/api/v1/events?level=loud", "", nil, 400, "bad_query"},
		"figures of no kind":         {"", "GET", machine + "?shard_figures=some", "", nil, 400, "bad_query"},
		"an event that is none":      {"", "GET", "/api/v1/events?after=x", "", nil, 400, "bad_query"},
		"a route that is none":       {"", "GET", "/api/v2/machine", "", nil, 404, "no_route"},
		"an order by GET":            {"", "GET", restart, "", nil, 404, "no_route"},
		"a change of what cannot be": {"", "DELETE", machine, "", []string{asJSON}, 404, "no_route"},
	} {
		t.Run(name, func(t *testing.T) {
			control := &stub{view: aView()}
			_, at := serve(t, Options{Hosts: []string{"control.example"}, Token: c.token}, control)
			status, answer := request(t, at, c.method, c.path, c.body, c.headers...)
			var got struct{ Error Problem }
			_ = json.Unmarshal([]byte(answer), &got)
			if status != c.status || got.Error.Code != c.code {
				t.Errorf("%d %q, want %d %q: %s", status, got.Error.Code, c.status, c.code, answer)
			}
			if strings.Contains(answer, "the-token") {
				t.Errorf("the token is in %s", answer)
			}
			if n := control.ordered(); (n > 0) != (status == http.StatusAccepted) {
				t.Errorf("%d orders were given", n)
			}
		})
	}
}

// The status of an answer is that of the verdict.
func TestVerdicts(t *testing.T) {
	for refusal, status := range map[messages.Refusal]int{"": 202, messages.RefusedUnknown: 404, messages.RefusedNow: 409} {
		control := &stub{verdict: messages.Verdict{Refusal: refusal, Reason: "the reason", After: 42}}
		_, at := serve(t, Options{}, control)
		got, answer := request(t, at, "POST", "/api/v1/rolling-restart", "", asJSON)
		want := `{"after":42}`
		if refusal != "" {
			want = `{"error":{"code":"` + string(refusal) + `","message":"the reason"}}`
		}
		if got != status || strings.TrimSpace(answer) != want {
			t.Errorf("%q: %d %s, want %d %s", refusal, got, answer, status, want)
		}
	}
}

// Orders arrive unchanged, with their requester.
func TestOrders(t *testing.T) {
	for path, want := range map[string]messages.Directive{
		"clusters/3/restart": messages.RestartCluster{Cluster: 3, Fresh: true},
		"clusters/3/drain":   messages.DrainCluster{Cluster: 3},
		"clusters/3/stop":    messages.StopCluster{Cluster: 3},
		"rolling-restart":    messages.RollingRestart{},
		"accept-master":      messages.AcceptMaster{},
	} {
		control, body := &stub{}, "{}"
		if strings.HasSuffix(path, "/restart") {
			body = `{"fresh":true}`
		}
		_, at := serve(t, Options{}, control)
		request(t, at, "POST", "/api/v1/"+path, body, asJSON)
		if control.ordered() != 1 || control.orders[0].Directive != want || !strings.HasPrefix(control.orders[0].By, "127.0.0.1:") {
			t.Errorf("%s: %+v", path, control.orders)
		}
	}
}

// The socket is its owner's alone, replaces a stale one, nothing else, and is gone with the server.
func TestSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	_ = stale.Close()
	s := New(Options{Token: "the-token"}, &stub{view: aView()}, nil)
	t.Cleanup(s.Close)
	if err := s.ListenUnix(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}}
	r, err := client.Get("http://control/api/v1/machine") // its owner needs no token, and no name
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%+v %v", r, err)
	}
	r.Body.Close()
	client.CloseIdleConnections()
	s.Close()
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}

	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := New(Options{}, &stub{}, nil).ListenUnix(path); err == nil {
		t.Error("a file was replaced")
	}
	if err := New(Options{}, &stub{}, nil).ListenUnix(filepath.Join(dir, strings.Repeat("x", messages.SocketMax))); err == nil || !strings.Contains(err.Error(), "107") {
		t.Errorf("too long: %v", err)
	}
}

// A panic of CONTROL's own code is one error, and reported; the next request is answered.
func TestBroken(t *testing.T) {
	got := ""
	control := &stub{view: aView()}
	control.view.Clusters[0].States = "" // fewer than shards
	_, at := serve(t, Options{Broken: func(route string, err error) { got = route + " " + err.Error() }}, control)
	status, answer := request(t, at, "GET", "/api/v1/shards", "")
	if status != http.StatusInternalServerError || !strings.Contains(answer, "internal") {
		t.Errorf("%d %s", status, answer)
	}
	if !strings.HasPrefix(got, "GET /api/v1/shards panic: runtime error: index out of range") || !strings.Contains(got, "view.go") {
		t.Errorf("%q", got)
	}
	if status, _ := request(t, at, "GET", "/healthz", ""); status != http.StatusOK {
		t.Errorf("%d", status)
	}
}
