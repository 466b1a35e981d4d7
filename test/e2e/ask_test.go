package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

// An operator asks two clusters, of which one hangs and then is stopped: the answer of the other,
// and an error for that one, in time.
func TestAskFromTheCommandLine(t *testing.T) {
	t.Parallel()
	b := &bots{d: nil, state: folder(t), count: 2}
	s := lonely(settings{"state.dir": b.state, "cluster.heartbeat_interval": "1m"})
	b.process = role(t, s, "asks")
	b.logged("cluster.ready", 2)
	pid := map[messages.ClusterID]int{}
	for _, c := range b.view().Clusters {
		pid[c.Cluster] = c.PID
	}
	b.does(fmt.Sprintf("0        %d\n1        %d\n", pid[0], pid[1]), "ask", "all", "pid")
	b.does(fmt.Sprintf("1        %d\n", pid[1]), "ask", "1", "pid", `{"a":1}`)
	b.does(fmt.Sprintf("1        %d\n", pid[1]), "ask", "81384788765712384", "pid") // on shard 2 of 4
	b.does(`[{"shard_id":2,"state":"ready"},{"shard_id":3,"state":"ready"}]`, "ask", "1", "discluster.stats")

	b.signal(pid[1], syscall.SIGSTOP)
	b.answers(pid[0], "it did not answer in time", "--timeout", "300ms")
	b.signal(pid[1], syscall.SIGCONT)
	b.does("cluster.stopped", "stop", "1", "--yes")
	b.answers(pid[0], "it is stopped")

	for want, c := range map[string]struct {
		code int
		args []string
	}{
		"cluster 9 is not of this machine": {1, []string{"9", "pid"}},
		`no handler has the name "pids"`:   {1, []string{"0", "pids"}},
		"want JSON":                        {2, []string{"0", "pid", "{"}},
		"17 digits or more":                {2, []string{"everyone", "pid"}},
	} {
		if code, got := b.operator(append([]string{"ask"}, c.args...)...); code != c.code || !strings.Contains(got, want) {
			t.Errorf("control ask %s: exit %d, want %d and %q: %s", strings.Join(c.args, " "), code, c.code, want, got)
		}
	}
	b.stop()
}

// answers expects the answer of cluster 0, and why cluster 1 has none.
func (b *bots) answers(pid int, why string, flags ...string) {
	b.t.Helper()
	ask := append([]string{"ask", "all", "pid"}, flags...)
	code, output := b.operator(ask...)
	if want := fmt.Sprintf("0        %d\n1        error: %s\n", pid, why); code != 1 || !strings.Contains(output, want) || !strings.Contains(output, "no value from 1 of 2 clusters") {
		b.t.Errorf("exit %d, want %q: %s", code, want, output)
	}
	code, output = b.operator(append(ask, "--json")...)
	var a admin.AskAnswer
	err := json.Unmarshal([]byte(output[:strings.IndexByte(output, '\n')]), &a)
	if code != 1 || err != nil || len(a.Results) != 1 || string(a.Results[0].Value) != fmt.Sprint(pid) || !slices.Equal(a.Errors, []messages.AskError{{Cluster: 1, Err: why}}) {
		b.t.Errorf("exit %d, %v: %s", code, err, output)
	}
}
