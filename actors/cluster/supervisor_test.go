package cluster

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// A released range is cut out of the served ones: the rest goes on under the same order, and the
// released part stays listed until it has ended.
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

// A range over a leftover of an earlier run is served: the leftover ends first. One over a served
// cluster is refused.
func TestAdmitOverALeftover(t *testing.T) {
	for _, stray := range []bool{true, false} {
		s := &Supervisor{settings: messages.Settings{ShardCount: 20, ShardsPerCluster: 10}, entries: map[messages.ClusterID]*entry{
			1: {Cluster: plan.Cluster{ID: 1, Shards: messages.ShardRange{First: 10, Last: 19}}, stray: stray},
		}}
		cut, reason := s.admit(messages.Serve{Range: messages.ShardRange{First: 0, Last: 19}})
		if (len(cut) == 2) != stray || (reason == "") != stray {
			t.Errorf("leftover %v: clusters %v, reason %q", stray, cut, reason)
		}
	}
}

// A range over a leftover of an earlier run takes it over: the leftover ends, and starts again as a
// cluster of the range.
func TestServeOverALeftover(t *testing.T) {
	w := &entry{Cluster: plan.Cluster{ID: 1}, stray: true, ending: true, then: remove}
	s := &Supervisor{settings: messages.Settings{ShardCount: 20, ShardsPerCluster: 10}, entries: map[messages.ClusterID]*entry{1: w}}
	r := messages.ShardRange{First: 10, Last: 19}
	inActor(t, func(ctx actor.Context) {
		s.addresses = allAt(ctx.Parent())
		s.serveSince(ctx, messages.Serve{Range: r}, 7)
	})
	if w.stray || w.then != startAgain || w.Shards != r || len(s.served) != 1 || s.served[0].Epoch != 7 {
		t.Errorf("leftover %v, then %v, shards %s, served %v", w.stray, w.then, w.Shards, s.served)
	}
}

// Another MASTER is accepted: nothing is served by an order of the one before.
func TestForgetEpochs(t *testing.T) {
	s := &Supervisor{settings: messages.Settings{Epoch: 7}, entries: map[messages.ClusterID]*entry{0: {Cluster: plan.Cluster{Shards: messages.ShardRange{First: 0, Last: 9}}}}}
	s.served = []messages.RangeInfo{{Range: messages.ShardRange{First: 0, Last: 9}, Epoch: 7}}
	inActor(t, func(ctx actor.Context) {
		s.addresses = allAt(ctx.Parent())
		s.ordered(ctx, messages.AcceptMaster{})
	})
	if s.settings.Epoch != 0 || len(s.served) != 1 || s.served[0].Epoch != 0 {
		t.Errorf("epoch %d, served %v; want 0 and 0", s.settings.Epoch, s.served)
	}
}

// Leftovers of an earlier run are searched by its records and by the environment of processes. The
// search is repeated if one of the two cannot be read.
func TestLeftoversAreSought(t *testing.T) {
	for name, tc := range map[string]struct{ list, holders error }{
		"both":        {nil, nil},
		"no folder":   {errors.New("input/output error"), nil},
		"no /proc":    {nil, errors.New("permission denied")},
		"neither one": {errors.New("input/output error"), errors.New("permission denied")},
	} {
		var timers []time.Duration
		s := &Supervisor{w: &world.World{Rand: func() float64 { return 0.5 },
			List:    func() ([]string, error) { return []string{"cluster-3.json", "fleet.json"}, tc.list },
			Holders: func(_ string, done func([]string, error)) { done([]string{"m1#4"}, tc.holders) },
			After: func(d time.Duration, _ func()) func() {
				timers = append(timers, d)
				return func() {}
			}}, entries: map[messages.ClusterID]*entry{}}
		s.options.Owner = "m1"
		got := inActor(t, func(ctx actor.Context) {
			s.addresses = allAt(ctx.Parent())
			s.seekLeftovers(ctx, 0)
		})
		found, is := got[0].(leftovers)
		if failed := tc.list != nil || tc.holders != nil; !is || found.err != nil != failed || !slices.Equal(found.clusters, []messages.ClusterID{3, 4}) {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		inActor(t, func(ctx actor.Context) {
			s.addresses = allAt(ctx.Parent())
			s.endLeftovers(ctx, leftovers{err: found.err, tries: 1})
		})
		if again := found.err != nil; s.seeking != again || len(timers) == 1 != again {
			t.Errorf("%s: seeking %v, timers %v", name, s.seeking, timers)
		}
	}
}

// A panic may lose the timer of a restart, an order to end, or the report of a cluster: each is
// made up for.
func TestRecoveredMakesUp(t *testing.T) {
	s := &Supervisor{}
	got := inActor(t, func(ctx actor.Context) {
		s.addresses = allAt(ctx.Parent())
		s.entries = map[messages.ClusterID]*entry{
			1: {Cluster: plan.Cluster{ID: 1}, pid: ctx.Parent(), seq: 7, cancel: func() {}},
			2: {Cluster: plan.Cluster{ID: 2}, pid: ctx.Parent(), ending: true},
			3: {Cluster: plan.Cluster{ID: 3}, pid: ctx.Parent()},
		}
		s.recovered(ctx)
	})
	if times[restartNow](got) != 1 || times[messages.StopRun](got) != 1 || times[messages.ReportAgain](got) != 1 {
		t.Errorf("got %v; want a restart, an end, and a question", got)
	}
}

// Each failure has a restart of its own, with a timer of its own.
func TestRestartsAreTold(t *testing.T) {
	s := &Supervisor{w: &world.World{Rand: func() float64 { return 0.5 }, After: func(time.Duration, func()) func() { return func() {} }}}
	a, b := &entry{Cluster: plan.Cluster{ID: 1}}, &entry{Cluster: plan.Cluster{ID: 2}}
	seen := map[int]bool{}
	inActor(t, func(ctx actor.Context) {
		s.addresses = allAt(ctx.Parent())
		for _, w := range []*entry{a, b, a} {
			s.died(ctx, w, &Failure{Cause: messages.CauseExited})
			seen[w.seq] = true
		}
	})
	if len(seen) != 3 || a.cancel == nil || b.cancel == nil {
		t.Errorf("restarts are named %v, want three names", seen)
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
		w := &entry{seq: 7}
		if tc.waits {
			w.cancel = func() {}
		}
		s := &Supervisor{entries: map[messages.ClusterID]*entry{1: w}, stopping: tc.stopping}
		s.Receive(hearing{msg: tc.of}) // a restart needs a context
		if w.restarts != 0 || (w.cancel != nil) != tc.waits {
			t.Errorf("%s: %d restarts, waits %v; want 0, %v", name, w.restarts, w.cancel != nil, tc.waits)
		}
	}
}

// A rolling restart stops for the cluster that has its turn, and goes on for any other.
func TestOrderBesideARollingRestart(t *testing.T) {
	s := &Supervisor{entries: map[messages.ClusterID]*entry{}}
	at := &entry{ending: true}
	s.roll = rolling{at: at, turn: 3}
	s.stopRolling(nil, &entry{}, "an order") // nothing is raised
	s.Receive(hearing{msg: rollLate{turn: 2}})
	if s.roll.at != at {
		t.Fatal("it stopped")
	}
	got := inActor(t, func(ctx actor.Context) {
		s.addresses = allAt(ctx.Parent())
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
	s.options = Options{Protocol: messages.ProtocolEnv, HelloTimeout: 30 * time.Second, Ready: messages.ReadyRule{After: time.Minute}}
	inActor(t, func(ctx actor.Context) {
		s.addresses = allAt(ctx.Parent())
		s.entries = map[messages.ClusterID]*entry{0: {Cluster: plan.Cluster{Shards: shards}, pid: ctx.Parent(), state: messages.ClusterServing}}
		s.roll.queue = []messages.ClusterID{0}
		s.rollOn(ctx)
	})
	if want := []time.Duration{2*time.Minute + 30*time.Second + plan.StockStart(shards) + time.Minute}; !slices.Equal(timers, want) {
		t.Errorf("timers %v, want %v", timers, want)
	}
}

// Shards that are out are checked again once an outage would count, without another message.
func TestOutageIsLookedAtInTime(t *testing.T) {
	var timers []time.Duration
	s := &Supervisor{w: &world.World{After: func(d time.Duration, _ func()) func() {
		timers = append(timers, d)
		return func() {}
	}}, entries: map[messages.ClusterID]*entry{0: {Cluster: plan.Cluster{Shards: messages.ShardRange{First: 0, Last: 9}}, out: 3}}}
	inActor(t, func(ctx actor.Context) { s.checkOutage(ctx, false) })
	if len(timers) != 1 || timers[0] > 5*time.Second || timers[0] < 4*time.Second {
		t.Errorf("timers %v, want one of 5s", timers)
	}
}

// A search for leftovers that may be incomplete is repeated, not at once.
func TestLeftoversAreSoughtAgain(t *testing.T) {
	var timers []time.Duration
	s := &Supervisor{w: &world.World{Rand: func() float64 { return 0.5 }, After: func(d time.Duration, _ func()) func() {
		timers = append(timers, d)
		return func() {}
	}}}
	inActor(t, func(ctx actor.Context) {
		s.endLeftovers(ctx, leftovers{err: errors.New("permission denied"), tries: 1})
	})
	if want := plan.SearchAgain(1, 0.5); !slices.Equal(timers, []time.Duration{want}) || want < 100*time.Millisecond {
		t.Errorf("again after %v, want %v", timers, want)
	}
}
