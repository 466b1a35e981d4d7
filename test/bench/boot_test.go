//go:build linux

package bench

import (
	"encoding/json"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"
)

// BenchmarkBoot measures a discord.js bot of ten shards behind a gateway host whose process gets
// SIGKILL, until all its shards are READY again, beside the start of node with the same program
// until it could begin, and beside the same bot without CONTROL, which has to identify.
func BenchmarkBoot(b *testing.B) {
	const clusters, each = 4, 10
	node, program := nodeProgram(b, "arrives.mjs")
	if node == "" {
		b.Skip("needs node and its packages")
	}
	s := newStage(b)
	env := append(s.settings(clusters*each, each, "--guilds", "400"), "CONTROL_CLUSTER__PROTOCOL=gateway")
	d := s.run(env, node, program)
	for range clusters {
		s.arrives()
	}
	d.hears("cluster.ready", clusters)
	var bots []int
	for _, host := range s.children(d.cmd.Process.Pid) {
		bots = append(bots, s.children(host)...)
	}
	floor := newStage(b)
	direct := append(floor.settings(each, each, "--guilds", "100"), "SHARD_COUNT=10", "SHARDS=[0,1,2,3,4,5,6,7,8,9]")
	bare := func(env []string) time.Duration {
		began := time.Now()
		one := floor.spawnTo(os.Stderr, env, node, program)
		took := floor.arrives().Sub(began)
		_ = one.Process.Kill()
		_ = one.Wait()
		return took
	}
	var back, boot, alone []time.Duration
	for i := 0; b.Loop(); i++ {
		if i >= clusters {
			continue
		}
		boot = append(boot, bare(append(direct, "BENCH_BOOT=1")))
		alone = append(alone, bare(direct))
		began := time.Now()
		_ = syscall.Kill(bots[i], syscall.SIGKILL)
		back = append(back, s.arrives().Sub(began))
	}
	report(b, "ready", back, boot)
	b.ReportMetric(float64(median(alone).Microseconds()), "direct-µs")
	if n := s.identifies(); n != clusters*each {
		b.Errorf("%d identifies, want %d", n, clusters*each)
	}
}

// identifies returns how many the simulated Discord has counted.
func (s *stage) identifies() int {
	answer, err := http.Get(s.discord + "/stats")
	if err != nil {
		s.b.Fatal(err)
	}
	defer answer.Body.Close()
	var score struct{ Identifies int }
	if err := json.NewDecoder(answer.Body).Decode(&score); err != nil {
		s.b.Fatal(err)
	}
	return score.Identifies
}
