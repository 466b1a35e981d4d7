package cluster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// What is given back is cut out of what is served: the rest goes on under the same order, and what
// ends stays listed until it has ended.
func TestCutOut(t *testing.T) {
	for _, tc := range []struct{ served, gone, want string }{
		{"0-9", "0-9", "0-9"},
		{"0-39", "10-19", "0-9 10-19 20-39"},
		{"0-39", "0-9", "0-9 10-39"},
		{"0-39", "30-39", "0-29 30-39"},
		{"0-9 20-29", "20-29", "0-9 20-29"},
		{"0-9 20-39", "20-29", "0-9 20-29 30-39"},
		{"0-19 20-39", "10-29", "0-9 10-19 20-29 30-39"},
	} {
		s := &Supervisor{}
		for _, r := range rangesOf(t, tc.served) {
			s.served = append(s.served, messages.RangeInfo{Range: r, Epoch: 7})
		}
		s.cutOut(rangesOf(t, tc.gone)[0])
		var got []messages.ShardRange
		for _, r := range s.served {
			got = append(got, r.Range)
			if r.Epoch != 7 {
				t.Errorf("%s without %s: %s is of epoch %d, want 7", tc.served, tc.gone, r.Range, r.Epoch)
			}
		}
		if !slices.Equal(got, rangesOf(t, tc.want)) {
			t.Errorf("%s without %s: %v, want %s", tc.served, tc.gone, got, tc.want)
		}
	}
}

// rangesOf reads ranges.
func rangesOf(t *testing.T, text string) (all []messages.ShardRange) {
	t.Helper()
	for len(text) > 0 {
		var r messages.ShardRange
		if _, err := fmt.Sscanf(text, "%d-%d", &r.First, &r.Last); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
		text = text[min(len(text), len(r.String())+1):]
	}
	return all
}

// A range over what an earlier life left is served: the leftover ends first. One over a cluster
// that is served is refused.
func TestAdmitOverALeftover(t *testing.T) {
	for _, stray := range []bool{true, false} {
		s := &Supervisor{settings: messages.Settings{ShardCount: 20, ShardsPerCluster: 10}, wards: map[messages.ClusterID]*ward{
			1: {Cluster: plan.Cluster{ID: 1, Shards: messages.ShardRange{First: 10, Last: 19}}, stray: stray},
		}}
		cut, reason := s.admit(messages.Serve{Range: messages.ShardRange{First: 0, Last: 19}})
		if (len(cut) == 2) != stray || (reason == "") != stray {
			t.Errorf("leftover %v: clusters %v, reason %q", stray, cut, reason)
		}
	}
}

// A restart's timer that was cancelled too late restarts nothing.
func TestRestartThatWasCancelled(t *testing.T) {
	for name, tc := range map[string]struct {
		of       restartNow
		waits    bool
		stopping bool
	}{
		"of the failure before":    {restartNow{1, 6}, true, false},
		"of one that is gone":      {restartNow{2, 7}, true, false},
		"of one that was stopped":  {restartNow{1, 7}, false, false},
		"while CONTROL itself end": {restartNow{1, 7}, true, true},
	} {
		w := &ward{seq: 7}
		if tc.waits {
			w.cancel = func() {}
		}
		s := &Supervisor{wards: map[messages.ClusterID]*ward{1: w}, stopping: tc.stopping}
		s.Receive(hearing{msg: tc.of}) // a restart needs a context
		if w.restarts != 0 || (w.cancel != nil) != tc.waits {
			t.Errorf("%s: %d restarts, waits %v; want 0, %v", name, w.restarts, w.cancel != nil, tc.waits)
		}
	}
}

// A rolling restart stops for the cluster whose turn it is, and goes on for any other.
func TestOrderBesideARollingRestart(t *testing.T) {
	s := &Supervisor{wards: map[messages.ClusterID]*ward{}}
	at := &ward{ending: true}
	s.roll = rolling{at: at, turn: 3}
	s.stopRolling(nil, &ward{}, "an order") // nothing is raised
	s.Receive(hearing{msg: rollLate{turn: 2}})
	if s.roll.at != at {
		t.Fatal("it stopped")
	}
	got := inActor(t, func(ctx actor.Context) {
		s.addresses = houseAt(ctx.Parent())
		s.stopRolling(ctx, at, "an order")
	})
	if s.roll.at != nil || s.roll.turn != 3 || times[messages.RollingRestartMoved](got) != 1 {
		t.Errorf("at %v, turn %d, %d reports; want nil, 3, 1", s.roll.at, s.roll.turn, times[messages.RollingRestartMoved](got))
	}
}

// Each cluster of a rolling restart has the time of a start of its kind, and two minutes.
func TestTimeOfARollingRestart(t *testing.T) {
	shards := messages.ShardRange{First: 0, Last: 9}
	var timers []time.Duration
	s := &Supervisor{w: &world.World{After: func(d time.Duration, _ func()) func() {
		timers = append(timers, d)
		return func() {}
	}}}
	s.options = Options{Protocol: messages.ProtocolEnv, HelloTimeout: 30 * time.Second, Ready: ReadyRule{After: time.Minute}}
	inActor(t, func(ctx actor.Context) {
		s.addresses = houseAt(ctx.Parent())
		s.wards = map[messages.ClusterID]*ward{0: {Cluster: plan.Cluster{Shards: shards}, pid: ctx.Parent(), state: messages.ClusterServing}}
		s.roll.queue = []messages.ClusterID{0}
		s.rollOn(ctx)
	})
	if want := []time.Duration{2*time.Minute + 30*time.Second + plan.StockStart(shards) + time.Minute}; !slices.Equal(timers, want) {
		t.Errorf("timers %v, want %v", timers, want)
	}
}

// That a share of the machine's shards is out is looked at again once an outage would count, though
// no news comes.
func TestOutageIsLookedAtInTime(t *testing.T) {
	var timers []time.Duration
	s := &Supervisor{w: &world.World{After: func(d time.Duration, _ func()) func() {
		timers = append(timers, d)
		return func() {}
	}}, wards: map[messages.ClusterID]*ward{0: {Cluster: plan.Cluster{Shards: messages.ShardRange{First: 0, Last: 9}}, out: 3}}}
	inActor(t, func(ctx actor.Context) { s.lookOut(ctx, false) })
	if len(timers) != 1 || timers[0] > 5*time.Second || timers[0] < 4*time.Second {
		t.Errorf("timers %v, want one of 5s", timers)
	}
}
