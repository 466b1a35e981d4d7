package rules

import (
	"testing"
	"time"
)

const sec = time.Second

func TestIdentify(t *testing.T) {
	with := func(change func(*Identify)) Identify {
		in := identify(1, 0, 1)
		change(&in)
		return in
	}
	tests := []struct {
		name   string
		config Config
		in     Identify
		want   string
	}{
		{"good", Config{}, identify(1, 0, 1), "ready:1[0,1]"},
		{"wrong token", Config{}, with(func(i *Identify) { i.Token = "bad" }), "close:1,4004"},
		{"shard equals count", Config{}, identify(1, 4, 4), "close:1,4010"},
		{"shard below zero", Config{}, identify(1, -1, 4), "close:1,4010"},
		{"no shards", Config{}, identify(1, 0, 0), "close:1,4010"},
		{"every known intent", Config{}, with(func(i *Identify) { i.Intents = knownIntents }), "ready:1[0,1]"},
		{"a stock Discordoo's intents", Config{}, with(func(i *Identify) { i.Intents = 98045 }), "ready:1[0,1]"},
		{"unknown intent", Config{}, with(func(i *Identify) { i.Intents = 1 << 17 }), "close:1,4013"},
		{"no intents at all", Config{}, with(func(i *Identify) { i.Intents = -1 }), "close:1,4013"},
		{"disallowed intent", Config{DisallowedIntents: 1 << 15}, with(func(i *Identify) { i.Intents = 1 << 15 }), "close:1,4014"},
		{"2,501 guilds on one shard", Config{Guilds: 2501}, identify(1, 0, 1), "close:1,4011"},
		{"large bot, not a multiple", Config{Guilds: 150_001, ShardCount: 64}, identify(1, 0, 100), "close:1,4010"},
		{"large bot, another shard count", Config{Guilds: 150_001, ShardCount: 64}, identify(1, 0, 65), "close:1,4010"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			play(t, []story{{"", tt.config, []step{{0, Opened{1}, "hello:1"}, {0, tt.in, tt.want}}}})
		})
	}
}

func TestIdentifyRate(t *testing.T) {
	play(t, []story{
		{"twice on a connection is 4005, and the session can be resumed", Config{}, []step{
			{0, Opened{1}, "hello:1"},
			{0, identify(1, 0, 1), "ready:1[0,1]"},
			{9 * sec, identify(1, 0, 1), "close:1,4005"},
			{9 * sec, Opened{2}, "hello:2"},
			{9 * sec, resume(2, 1, 1), "resumed:2#2"},
		}},
		{"one bucket, 1 ns too early, then on time", Config{}, []step{
			{0, Opened{1}, "hello:1"},
			{0, Opened{2}, "hello:2"},
			{0, identify(1, 0, 2), "ready:1[0,2]"},
			{5*sec - 1, identify(2, 1, 2), "op9:2,false"},
			{5 * sec, identify(2, 1, 2), "ready:2[1,2]"},
		}},
		{"the buckets of max_concurrency are apart", Config{MaxConcurrency: 2}, []step{
			{0, Opened{1}, "hello:1"},
			{0, Opened{2}, "hello:2"},
			{0, Opened{3}, "hello:3"},
			{0, identify(1, 0, 4), "ready:1[0,4]"},
			{0, identify(2, 1, 4), "ready:2[1,4]"},
			{0, identify(3, 2, 4), "op9:3,false"},
		}},
		{"slack is tolerated", Config{Slack: 100 * time.Millisecond}, []step{
			{0, Opened{1}, "hello:1"},
			{0, Opened{2}, "hello:2"},
			{0, identify(1, 0, 2), "ready:1[0,2]"},
			{4900*time.Millisecond - 1, identify(2, 1, 2), "op9:2,false"},
			{4900 * time.Millisecond, identify(2, 1, 2), "ready:2[1,2]"},
		}},
		{"an IDENTIFY refused for its contents takes no place in the bucket", Config{}, []step{
			{0, Opened{1}, "hello:1"},
			{0, Opened{2}, "hello:2"},
			{0, identify(1, 7, 2), "close:1,4010"},
			{0, identify(2, 1, 2), "ready:2[1,2]"},
		}},
		{"the daily limit resets the token and ends every session", Config{IdentifyRemaining: 1}, []step{
			{0, Opened{1}, "hello:1"},
			{0, Opened{2}, "hello:2"},
			{0, identify(1, 0, 2), "ready:1[0,2]"},
			{5 * sec, identify(2, 1, 2), "close:2,4004 close:1,4004"},
			{9 * sec, Opened{3}, "hello:3"},
			{9 * sec, resume(3, 1, 1), "close:3,4004"},
			{9 * sec, Opened{4}, "hello:4"},
			{9 * sec, identify(4, 0, 2), "close:4,4004"},
		}},
		{"a new day brings a new budget", Config{IdentifyRemaining: -1}, []step{
			{24 * time.Hour, Opened{1}, "hello:1"},
			{24 * time.Hour, identify(1, 0, 1), "ready:1[0,1]"},
		}},
	})
}

func TestViolationIsTold(t *testing.T) {
	w := newWorld(t, Config{MaxConcurrency: 2})
	w.ready(0, 1, 1, 4)
	w.at(0, Opened{2})
	w.at(3*sec, identify(2, 3, 4))
	want := Violation{Bucket: 1, Shard: 3, At: noon.Add(3 * sec), PreviousShard: 1, PreviousAt: noon}
	s := w.d.Score()
	if s.Violations != 1 || len(s.ViolationLog) != 1 || s.ViolationLog[0] != want {
		t.Fatalf("got %d %+v, want %+v", s.Violations, s.ViolationLog, want)
	}
	if s.Identifies != 2 || s.Remaining != 998 {
		t.Fatalf("identifies %d, remaining %d; want 2, 998: a refused one costs too", s.Identifies, s.Remaining)
	}
}

// With another max_concurrency a shard's last IDENTIFY counts in its new bucket.
func TestConcurrencyChanges(t *testing.T) {
	for _, c := range []struct {
		from, to   int
		next       int // the shard that identifies 4 s after shard 5
		violations int
	}{
		{16, 1, 8, 1}, {1, 16, 5, 1}, {1, 16, 21, 1}, {1, 16, 6, 0}, {16, 4, 9, 1}, {16, 4, 8, 0},
	} {
		w := newWorld(t, Config{ShardCount: 32, MaxConcurrency: c.from})
		w.at(0, Opened{1})
		w.at(0, identify(1, 5, 32))
		w.at(1*sec, Fault{Kind: FaultConcurrency, MaxConcurrency: c.to})
		w.at(1*sec, Opened{2})
		w.at(4*sec, identify(2, c.next, 32))
		if got := w.d.Score().Violations; got != c.violations {
			t.Errorf("%d to %d, shard %d: %d violations, want %d", c.from, c.to, c.next, got, c.violations)
		}
	}
}

func TestGatewayBot(t *testing.T) {
	limit := func(total, remaining int, reset time.Duration, mc int) SessionStartLimit {
		return SessionStartLimit{total, remaining, reset.Milliseconds(), mc}
	}
	tests := []struct {
		name   string
		config Config
		at     time.Duration
		before []Input
		token  string
		want   GatewayBot
		status int
	}{
		{"defaults", Config{}, 0, nil, "good", GatewayBot{"", 1, limit(1000, 1000, 24*time.Hour, 1)}, 200},
		{"large bot", Config{Guilds: 1_000_000, ShardCount: 640, MaxConcurrency: 16}, time.Hour, nil, "good",
			GatewayBot{"", 640, limit(5000, 5000, 23*time.Hour, 16)}, 200},
		{"budget used", Config{IdentifyTotal: 10, IdentifyRemaining: 7}, 0, []Input{Opened{1}, identify(1, 0, 1)}, "good",
			GatewayBot{"", 1, limit(10, 6, 24*time.Hour, 1)}, 200},
		{"days later", Config{IdentifyRemaining: 7}, 50 * time.Hour, nil, "good", GatewayBot{"", 1, limit(1000, 1000, 22*time.Hour, 1)}, 200},
		{"wrong token", Config{}, 0, nil, "bad", GatewayBot{}, 401},
		{"token refused", Config{}, 0, []Input{Fault{Kind: FaultRefuseToken}}, "good", GatewayBot{}, 401},
		{"outage", Config{}, 0, []Input{Fault{Kind: FaultOutageOn}}, "good", GatewayBot{}, 503},
		{"another max_concurrency", Config{MaxConcurrency: 16}, 0, []Input{Fault{Kind: FaultConcurrency, MaxConcurrency: 3}}, "good",
			GatewayBot{"", 1, limit(1000, 1000, 24*time.Hour, 3)}, 200},
		{"outage over", Config{}, 0, []Input{Fault{Kind: FaultOutageOn}, Fault{Kind: FaultOutageOff}}, "good",
			GatewayBot{"", 1, limit(1000, 1000, 24*time.Hour, 1)}, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.config)
			for _, in := range tt.before {
				w.at(0, in)
			}
			got, status := w.d.GatewayBot(noon.Add(tt.at), tt.token)
			if got != tt.want || status != tt.status {
				t.Fatalf("got %+v %d, want %+v %d", got, status, tt.want, tt.status)
			}
		})
	}
}

func TestFloor(t *testing.T) {
	tests := []struct {
		name   string
		config Config
		count  int
		want   time.Duration
	}{
		{"one shard", Config{}, 1, 0},
		{"none", Config{}, 0, 0},
		{"1,000 shards one by one", Config{}, 1000, 999 * 5 * sec},
		{"1,000 shards, 16 buckets", Config{MaxConcurrency: 16}, 1000, 62 * 5 * sec},
		{"64 shards, 64 buckets", Config{MaxConcurrency: 64}, 64, 0},
		{"65 shards, 64 buckets, a short pace", Config{MaxConcurrency: 64, IdentifyEvery: sec}, 65, sec},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.config.Floor(tt.count); got != tt.want {
				t.Fatalf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// The day of the budget may be under way at the start; later ones are whole.
func TestFirstReset(t *testing.T) {
	start := time.Unix(0, 0)
	d := New(Config{Token: "x", IdentifyTotal: 1000, IdentifyRemaining: 7, FirstReset: time.Hour}, start)
	for _, tc := range []struct {
		at        time.Duration
		remaining int
		reset     time.Duration
	}{{0, 7, time.Hour}, {59 * time.Minute, 7, time.Minute}, {time.Hour, 1000, 24 * time.Hour}, {2 * time.Hour, 1000, 23 * time.Hour}} {
		got, _ := d.GatewayBot(start.Add(tc.at), "x")
		if l := got.SessionStartLimit; l.Remaining != tc.remaining || l.ResetAfter != tc.reset.Milliseconds() {
			t.Errorf("after %v: %d remaining, %d ms to the reset; want %d, %d", tc.at, l.Remaining, l.ResetAfter, tc.remaining, tc.reset.Milliseconds())
		}
	}
}
