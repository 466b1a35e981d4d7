package scenarios

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/transport/discord/rules"
)

// A host reports that events wait for its bot, and that a shard is deaf. Each is an event once, and
// once more when it is over, and both are in the view; a flood of such reports is none of events. A
// new process begins without.
func TestLaggingAndDeaf(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		var v fakecluster.Voice
		m := f.aloneWith(rules.Config{ShardCount: 4, MaxConcurrency: 4}, ours(initialise(4, 4)),
			f.good(map[string]fakecluster.SDK{"0": {Speaks: func(x fakecluster.Voice) { v = x }}}), withStatus)
		f.serve(m, "c", 0, 3)
		report := func(waiting int, oldest, deaf time.Duration) {
			v.Send(messages.ShardStatus{Shard: 2, State: messages.ShardReady, Waiting: &waiting, WaitingMS: messages.Millis(oldest), DeafMS: messages.Millis(deaf),
				HostMemory: messages.HostMemory{GuildsBytes: 5000, EventsBytes: int64(2000 * waiting), EventsMax: 1 << 20}})
			f.pass(5 * time.Second)
		}
		view := func() messages.ClusterView { return f.look(m).Clusters[0] }
		if c := view(); c.Waiting != nil || c.Lagging != nil || c.Deaf != nil || c.Host != nil {
			f.t.Errorf("a bot without a host: %+v", c)
		}
		report(12, 15*time.Second, 0)
		want(f, "waiting", slices.Equal(view().Waiting, []int{-1, -1, 12, -1}), true)
		want(f, "age", view().WaitingMS[2], 15_000)
		want(f, "memory", *view().Host, messages.HostMemory{GuildsBytes: 5000, EventsBytes: 24_000, EventsMax: 1 << 20})
		for i := range 5 {
			report(300, time.Minute+time.Duration(i)*time.Second, 0)
		}
		report(290, 30*time.Second, 0)
		want(f, "lags reported", f.saw("shard.lagging"), 1)
		want(f, "lag", last[messages.ShardLagging](f), messages.ShardLagging{Shard: 2, On: true, Waiting: 300, WaitingMS: 60_000})
		want(f, "lagging", slices.Equal(view().Lagging, []int{2}), true)
		report(3, time.Second, 0)
		want(f, "lag and its end", f.saw("shard.lagging"), 2)
		want(f, "end", last[messages.ShardLagging](f).On, false)
		want(f, "lagging no more", view().Lagging == nil, true)

		for i := range 5 {
			report(0, 0, 5*time.Minute+time.Duration(i)*5*time.Second)
		}
		want(f, "deafness reported", f.saw("shard.deaf"), 1)
		want(f, "deafness", last[messages.ShardDeaf](f), messages.ShardDeaf{Shard: 2, On: true, SilentMS: 300_000})
		want(f, "deaf", slices.Equal(view().Deaf, []int{2}), true)
		report(0, 0, 0)
		want(f, "deafness and its end", f.saw("shard.deaf"), 2)
		want(f, "deaf no more", view().Deaf == nil, true)

		for i := range 1000 {
			long := messages.Milliseconds(i%2) * 3_600_000
			v.Send(messages.ShardStatus{Shard: 2, State: messages.ShardReady, Waiting: new(1), WaitingMS: long, DeafMS: long})
			f.pass(time.Millisecond)
		}
		if n := f.saw("shard.deaf") + f.saw("shard.lagging"); n > 4+4 {
			f.t.Errorf("%d events after a flood of a second", n)
		}
		f.pass(time.Second)
		report(9, time.Hour, time.Hour)
		f.processOf(m, "0").Signal(syscall.SIGKILL)
		f.must("it died", time.Minute, f.sawN("cluster.died", 1))
		f.must("every shard READY", time.Minute, f.owned(4))
		f.pass(5 * time.Second)
		if c := view(); c.Waiting != nil || c.Lagging != nil || c.Deaf != nil || c.Host != nil {
			f.t.Errorf("of a new process: %+v", c)
		}
	})
}
