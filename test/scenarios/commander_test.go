package scenarios

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// commands sends a machine a command, as MASTER would.
func (f *fleet) commands(m *machine, id, name string, args any) {
	f.t.Helper()
	raw, err := json.Marshal(args)
	if err != nil {
		f.t.Fatal(err)
	}
	f.master.Send(m.Name, messages.Command{ID: id, Name: name, Args: raw})
}

// ended returns a condition: a command has its last answer, with this error; "": it is done.
func (f *fleet) ended(m *machine, id, why string) func() bool {
	return func() bool {
		for _, a := range sent[messages.Ack](f, m) {
			if a.ID == id && a.OK != nil {
				if *a.OK != (why == "") || !strings.Contains(a.Error, why) {
					f.t.Fatalf("command %s: ok %v, %q, want %q\n%s", id, *a.OK, a.Error, why, f.log)
				}
				return true
			}
		}
		return false
	}
}

// A restart that MASTER ordered ends with its cluster, whatever happens to that first.
func TestRestartEnds(t *testing.T) {
	one := messages.ShardRange{First: 0, Last: 15}
	for name, story := range map[string]struct {
		during func(f *fleet, m *machine)
		why    string
	}{
		"served again": {func(*fleet, *machine) {}, ""},
		"offloaded":    {func(f *fleet, m *machine) { f.master.Send("m1", messages.Offload{ID: "o", Range: one}) }, "cluster 0 is gone"},
		"shut down":    {func(f *fleet, m *machine) { f.master.Send("m1", messages.Shutdown{ID: "s"}) }, "cluster 0 is gone"},
		"halted": {func(f *fleet, m *machine) {
			f.master.Send("m1", messages.Shutdown{ID: "s", Halt: &messages.Halt{Code: 4014, Token: token.Fingerprint()}})
		}, "the fleet is halted: Discord closed with 4014"},
		"stopped by another": {func(f *fleet, m *machine) { f.orders(m, messages.StopCluster{Cluster: 0}) }, "cluster 0: stop was ordered by a story"},
	} {
		t.Run(name, func(t *testing.T) {
			seeds(t, func(f *fleet) {
				m := f.alone(32, 16, ours(initialise(32, 16)), nil, withStatus)
				f.serve(m, "c", 0, 31)
				f.commands(m, "r", messages.CommandRestartCluster, messages.RestartClusterArgs{Cluster: 0})
				f.must("it is under way", time.Second, f.stateIs(m, 0, messages.ClusterDraining))
				story.during(f, m)
				f.must("an end", time.Minute, f.ended(m, "r", story.why))
				f.pass(time.Minute)
			})
		})
	}
}

// A restart whose shards may not identify takes its time, but not forever: the table of commands is
// free again.
func TestCommandsEnd(t *testing.T) {
	seedsOf(t, 3, func(f *fleet) {
		grants := true
		o := withPermits(initialise(16, 16), func(r messages.PermitRequest) *messages.PermitAnswer {
			if !grants {
				return nil
			}
			return &messages.PermitAnswer{ID: r.ID, Granted: true, UseWithinMS: 2000}
		})
		m := f.alone(16, 16, o, nil)
		f.serve(m, "c", 0, 15)
		grants = false
		const most = 64
		for i := range most + 1 {
			f.commands(m, fmt.Sprint("r", i), messages.CommandRestartCluster, messages.RestartClusterArgs{Cluster: 0, Fresh: true})
		}
		f.must("the last one is refused", time.Second, f.ended(m, fmt.Sprint("r", most), "64 commands are under way, which is the limit"))
		f.must("an end", time.Hour+time.Minute, f.ended(m, "r0", "no step for 1h0m0s"))
		f.must("all ends", time.Minute, f.ended(m, fmt.Sprint("r", most-1), "no step for 1h0m0s"))
		grants = true
		f.commands(m, "again", messages.CommandRestartCluster, messages.RestartClusterArgs{Cluster: 0})
		f.must("served again", time.Minute, f.ended(m, "again", ""))
	})
}

// MASTER asks for a machine's status: the answer agrees with its heartbeats.
func TestCommandStatus(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(32, 16, ours(initialise(32, 16)), nil)
		status := func(id string) (b messages.Heartbeat) {
			f.t.Helper()
			f.commands(m, id, messages.CommandStatus, nil)
			f.must("an answer", time.Second, f.ended(m, id, ""))
			for _, a := range sent[messages.Ack](f, m) {
				if a.ID == id {
					if err := json.Unmarshal(a.Result, &b); err != nil {
						f.t.Fatal(err)
					}
				}
			}
			return b
		}
		want(f, "ranges of a machine that serves nothing", len(status("s1").Ranges), 0)
		f.serve(m, "c", 0, 15)
		f.connect(m, "d", 16, 31)
		f.must("it starts", time.Second, f.acked(m, "d", "connecting"))
		b := status("s2")
		want(f, "ranges", rangesOf(messages.Info{Ranges: b.Ranges}), "0-15 operational, 16-31 connecting")
		want(f, "clusters", b.Clusters, messages.ClusterCounts{Serving: 1, Starting: 1})
		want(f, "shards_ready", b.ShardsReady, 16)
		f.must("it serves", time.Minute, f.acked(m, "d", "operational"))
		want(f, "shards_ready", status("s3").ShardsReady, 32)
		f.commands(m, "s3", messages.CommandStatus, nil)
		f.pass(time.Second)
		want(f, "order.refused", f.saw("order.refused"), 0)
		f.commands(m, "x", "dance", nil)
		f.must("a refusal", time.Second, f.ended(m, "x", `unknown command "dance"`))
	})
}
