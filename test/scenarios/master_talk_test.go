package scenarios

import (
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/mockmaster"
)

// An unreadable packet of MASTER is dropped and reported once a link; the link stays, and orders
// are obeyed.
func TestGarbageFromMaster(t *testing.T) {
	garbage := []string{
		"", " ", "null", "[]", "5", `"x"`, "true", "{", "}", `{"o":}`, "\x00\xff\xfe binary", `{"d":{}}`, `{"o":null}`, `{"o":"8"}`, `{"o":-1,"d":{}}`, `{"o":99,"d":{}}`,
		`{"o":1.5}`, `{"o":1e99}`, `{"o":6,"d":null}`, `{"o":6,"d":[]}`, `{"o":8,"d":{}}`, strings.Repeat("[", 10000), `{"o":0,"d":{}}`, `{"o":11,"d":{}}`,
		"not json " + strings.Repeat("x", 1<<20),
	}
	seeds(t, func(f *fleet) {
		m := f.alone(2, 1, ours(initialise(2, 1)), nil)
		for range 50 {
			_ = f.master.Link("m1").Send([]byte(garbage[f.loop.Rand.IntN(len(garbage))]))
			f.pass(time.Duration(f.loop.Rand.IntN(100)) * time.Millisecond)
		}
		want(f, "reported", f.saw("packet.dropped"), 1)
		f.serve(m, "c", 0, 1)
		want(f, "links", f.saw("master.linked"), 1)
		want(f, "lost", f.saw("master.lost"), 0)
		if strings.Count(f.log.String(), "x") > 1000 {
			f.t.Fatal("a frame of MASTER floods the log")
		}
		f.master.Link("m1").Close(1001, "bye")
		f.must("the next link", time.Minute, f.sawN("master.linked", 2))
		_ = f.master.Link("m1").Send([]byte("null"))
		f.must("reported again", time.Second, f.sawN("packet.dropped", 2))
	})
}

// An order whose fields break their rules is refused by name; an unknown command too.
func TestOrdersThatBreakTheRules(t *testing.T) {
	for name, story := range map[string]struct{ raw, order, why string }{
		"a connect of nothing":  {`{"o":6,"d":{"shardRange":[],"redundant":false}}`, "connect", "shardRange"},
		"a connect to the moon": {`{"o":6,"d":{"shardRange":[0,99999999],"redundant":false}}`, "connect", "shardRange"},
		"an unknown command":    {`{"o":2,"d":{"id":"7","name":"dance"}}`, "command dance", "unknown command"},
		"no name":               {`{"o":2,"d":{"id":"7"}}`, "command", "name missing"},
	} {
		t.Run(name, func(t *testing.T) {
			seedsOf(t, 5, func(f *fleet) {
				m := f.alone(2, 1, ours(initialise(2, 1)), nil)
				_ = f.master.Link("m1").Send([]byte(story.raw))
				f.refused(m, story.order, story.why)
			})
		})
	}
}

// Toward upstream's MASTER only fatal, error and ack are sent, whatever happens: it answers
// anything else with an error, or dies of it.
func TestUpstreamHearsOnlyWhatItTakes(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		o := mockmaster.Upstream(token)
		o.Initialise.ShardCount = new(20)
		m := f.alone(20, 1, o, nil)
		f.serve(m, "", 0, 9)
		_ = f.master.Link("m1").Send([]byte(`{"o":2,"d":{"id":"7","name":"dance"}}`))
		f.pass(3 * time.Minute)
		for _, p := range f.master.Heard("m1") {
			switch p.(type) {
			case messages.Fatal, messages.MasterError, messages.Ack:
			default:
				f.t.Fatalf("MASTER heard %T", p)
			}
		}
		want(f, "errors of MASTER", f.saw("master.error"), 0)
		want(f, "owned", f.owned(10)(), true)
	})
}

// A heartbeat every interval ± 5 %, with its number, and what is served.
func TestHeartbeat(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(2, 1, ours(initialise(2, 1)), nil)
		f.serve(m, "c", 0, 1)
		var at []time.Duration
		for end := f.loop.Now() + 5*time.Minute; f.loop.Now() < end; {
			n := len(sent[messages.Heartbeat](f, m))
			f.must("a heartbeat", 6*time.Second, func() bool { return len(sent[messages.Heartbeat](f, m)) > n })
			at = append(at, f.loop.Now())
		}
		for i := range at[1:] {
			if gap := at[i+1] - at[i]; gap < 4750*time.Millisecond-jitter || gap > 5250*time.Millisecond+jitter {
				f.t.Fatalf("heartbeats %v apart", gap)
			}
		}
		if n := len(at); n < 57 || n > 64 {
			f.t.Fatalf("%d heartbeats in 5 minutes", n)
		}
		all := sent[messages.Heartbeat](f, m)
		for i, b := range all {
			want(f, "seq", b.Seq, int64(i+1))
		}
		newest := all[len(all)-1]
		want(f, "clusters", newest.Clusters, messages.ClusterCounts{Serving: 1})
		want(f, "shards_ready", newest.ShardsReady, 2)
	})
}

// Info comes after initialise and at every change of a range.
func TestInfo(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(20, 1, ours(initialise(20, 1)), nil)
		f.serve(m, "c", 10, 19)
		f.stop(m, 1)
		f.must("stopped", 10*time.Second, f.running(m, 0))
		f.pass(time.Second)
		var reported []string
		for _, i := range sent[messages.Info](f, m) {
			reported = append(reported, rangesOf(i))
		}
		want(f, "ranges reported", strings.Join(reported, " | "),
			" | 10-19 connecting | 10-19 operational | 10-19 connecting | 10-19 stopped")
		i := sent[messages.Info](f, m)[4]
		want(f, "hostname", i.Hostname, "m1")
		want(f, "shard_count", i.ShardCount, 20)
		want(f, "shards_per_cluster", i.ShardsPerCluster, 10)
		want(f, "epoch", i.Epoch, 1)
	})
}

// The link goes and comes back: the clusters never notice, MASTER gets what is served, no bot
// identifies.
func TestLinkLostWhileServing(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(32, 16, ours(initialise(32, 16)), nil)
		f.serve(m, "c", 0, 31)
		pids := f.pids(m)
		f.net.Cut("m1", "master")
		f.must("the loss", 30*time.Second, f.sawN("master.lost", 1))
		f.pass(time.Duration(f.loop.Rand.IntN(300)) * time.Second)
		infos := len(sent[messages.Info](f, m))
		f.net.Heal("m1", "master")
		f.must("the next link", 35*time.Second, f.sawN("master.linked", 2))
		f.must("info", time.Second, func() bool { return len(sent[messages.Info](f, m)) > infos })
		want(f, "ranges served", rangesOf(sent[messages.Info](f, m)[infos]), "0-31 operational")
		f.pass(time.Minute)
		want(f, "processes", f.pids(m), pids)
		want(f, "identifies", f.identifies(), 32)
		want(f, "deaths", f.saw("cluster.died"), 0)
	})
}

// A link lost in the middle of a start: the start goes on at the machine's own pace.
func TestLinkLostWhileStarting(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.alone(20, 1, ours(initialise(20, 1)), nil)
		f.connect(m, "c", 0, 19)
		f.pass(time.Duration(f.loop.Rand.IntN(60)) * time.Second)
		f.master.Link("m1").Close(1001, "going away")
		f.must("every shard READY", 2*time.Minute, f.owned(20))
		want(f, "identifies", f.identifies(), 20)
		want(f, "links", f.saw("master.linked"), 2)
		f.must("MASTER knows", time.Second, func() bool {
			all := sent[messages.Info](f, m)
			return rangesOf(all[len(all)-1]) == "0-19 operational"
		})
	})
}
