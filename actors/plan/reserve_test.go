package plan

import (
	"fmt"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

func TestBookings(t *testing.T) {
	for _, tc := range []struct {
		first, last, maxConcurrency int
		want                        string
		soonest                     time.Duration
	}{
		{0, 9, 1, "[{0 10}]", 45 * time.Second},
		{10, 19, 1, "[{10 10}]", 45 * time.Second},
		{16, 31, 16, "[{16 1} {17 1} {18 1} {19 1} {20 1} {21 1} {22 1} {23 1} {24 1} {25 1} {26 1} {27 1} {28 1} {29 1} {30 1} {31 1}]", 0},
		{3, 6, 4, "[{4 1} {5 1} {6 1} {3 1}]", 0}, // in the order of the buckets, not of the shards
		{0, 4, 2, "[{0 3} {1 2}]", 10 * time.Second},
		{7, 7, 64, "[{7 1}]", 0},
		{0, 0, 0, "[{0 1}]", 0}, // unknown
	} {
		r := messages.ShardRange{First: tc.first, Last: tc.last}
		if got := fmt.Sprint(Bookings(r, tc.maxConcurrency)); got != tc.want {
			t.Errorf("%s by %d: %s, want %s", r, tc.maxConcurrency, got, tc.want)
		}
		if got := EnvSoonest(r, tc.maxConcurrency); got != tc.soonest {
			t.Errorf("%s by %d: all are READY after %s, want %s", r, tc.maxConcurrency, got, tc.soonest)
		}
	}
}

func TestPacerHolds(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	p := NewPacer(1, 2*time.Second, 100*time.Millisecond)
	p.Ask(Want{ID: "hold", Owner: "0", Shard: 0, Cause: messages.CauseStart, Since: at(0), Hold: 90 * time.Second})
	if grants, _ := p.Next(at(0)); len(grants) != 1 || grants[0].UseWithin != 90*time.Second {
		t.Fatalf("%+v", grants)
	}
	p.Ask(Want{ID: "other", Owner: "1", Shard: 1, Cause: messages.CauseStart, Since: at(1)})
	if !p.Extend("hold", 90*time.Second, at(60)) || p.Extend("other", time.Second, at(60)) {
		t.Error("only a kept bucket can be kept on")
	}
	// 60 + 90 + the second of a lost report
	if grants, wake := p.Next(at(149)); len(grants) != 0 || !wake.Equal(at(151)) {
		t.Errorf("kept until 151: %+v, wake %v", grants, wake)
	}
	if _, known := p.Report("hold", true, at(150), time.Time{}); !known {
		t.Error("the report of a kept bucket is unknown")
	}
	if grants, _ := p.Next(at(155)); len(grants) != 0 {
		t.Error("granted before 5.1 s behind the last use")
	}
	if grants, _ := p.Next(at(156)); len(grants) != 1 {
		t.Error("not granted behind it")
	}
	if p.Extend("hold", time.Second, at(157)) {
		t.Error("what was given back is kept on")
	}
}

func TestPacerHoldsNothingInSlots(t *testing.T) {
	p := NewPacer(1, 2*time.Second, 100*time.Millisecond)
	p.Alone(messages.Place{Index: 0, Of: 2}, 0)
	p.Ask(Want{ID: "hold", Shard: 0, Cause: messages.CauseStart, Hold: time.Minute})
	if grants, wake := p.Next(time.Unix(0, 0)); len(grants) != 0 || !wake.IsZero() {
		t.Errorf("a bucket cannot be kept in a slot: %+v, wake %v", grants, wake)
	}
	p.Ask(Want{ID: "one", Shard: 0, Cause: messages.CauseOperator})
	if grants, _ := p.Next(time.Unix(0, 0)); len(grants) != 1 || grants[0].ID != "one" {
		t.Errorf("another request is held up: %+v", grants)
	}
}

// A bucket is kept until the slowest library has sent its last identify, counted from the bot's
// first sign of life.
func TestIdentified(t *testing.T) {
	started := time.Unix(1000, 0)
	at := func(s float64) time.Time { return started.Add(time.Duration(s * float64(time.Second))) }
	ten := messages.ShardRange{First: 10, Last: 19}
	for name, tc := range map[string]struct {
		protocol messages.Protocol
		shards   messages.ShardRange
		woke     time.Time
		want     time.Time
	}{
		"env, silent":            {messages.ProtocolEnv, ten, time.Time{}, at(30 + 65)},
		"env, one shard":         {messages.ProtocolEnv, messages.ShardRange{First: 3, Last: 3}, time.Time{}, at(30 + 6.5)},
		"env, speaks at once":    {messages.ProtocolEnv, ten, at(0.1), at(30 + 65)},
		"env, boots for long":    {messages.ProtocolEnv, ten, at(50), at(60 + 65)},
		"env, speaks when READY": {messages.ProtocolEnv, ten, at(60), at(70 + 65)},
		"discordoo":              {messages.ProtocolDiscordoo, ten, time.Time{}, at(30 + 150)},
	} {
		if got := Identified(tc.protocol, tc.shards, started, tc.woke); !got.Equal(tc.want) {
			t.Errorf("%s: after %v, want %v", name, got.Sub(started), tc.want.Sub(started))
		}
	}
	for _, tc := range []struct{ last, want time.Duration }{
		{-time.Minute, HoldFor}, {0, HoldFor}, {95 * time.Second, 95 * time.Second}, {time.Hour, 5 * time.Minute},
	} {
		if got := Holding(started.Add(tc.last), started); got != tc.want {
			t.Errorf("last identify in %v: kept for %v, want %v", tc.last, got, tc.want)
		}
	}
}

// A start that was not seen to succeed has succeeded once the process has lived for minutes.
func TestServedFor(t *testing.T) {
	for _, tc := range []struct {
		assumed         bool
		up, lived, want time.Duration
	}{
		{false, time.Second, time.Minute, time.Second},
		{false, 0, time.Hour, 0},
		{true, time.Second, 31 * time.Second, 0},
		{true, 4 * time.Minute, 5*time.Minute - 1, 0},
		{true, 4 * time.Minute, 5 * time.Minute, 4 * time.Minute},
	} {
		if got := ServedFor(tc.assumed, tc.up, tc.lived); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}
