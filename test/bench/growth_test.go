//go:build linux

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// idleFor is the time CONTROL is watched while its clusters have nothing to do.
const idleFor = 20 * time.Second

// BenchmarkGrowth measures, once, CONTROL with many clusters of a trivial bot: until all of them
// run; its memory and its CPU time while they have nothing to do; its CPU time for messages from
// one to another.
func BenchmarkGrowth(b *testing.B) {
	for _, n := range []int{10, 100, 500} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			const thousands = 50
			s := newStage(b)
			env := append(s.settings(n, 1), roleVariable+"=bare", "CONTROL_LOG__LEVEL=error")
			log, err := os.Create(filepath.Join(s.dir, "log"))
			if err != nil {
				b.Fatal(err)
			}
			defer log.Close()
			began := time.Now()
			s.middle = s.spawnTo(log, env, binary(b), "run", "--", os.Args[0]).Process.Pid
			s.gather(n)
			running := time.Since(began)
			s.stream(thousands*1000, 100) // warm
			at := s.cpu()
			<-time.After(idleFor)
			idle, memory := s.cpu()-at, s.resident()
			at = s.cpu()
			s.stream(thousands*1000, 100)
			busy := s.cpu() - at
			for b.Loop() { // measured above
			}
			if text, err := os.ReadFile(log.Name()); err != nil || len(text) > 0 {
				b.Errorf("CONTROL logged errors: %v\n%s", err, text)
			}
			b.ReportMetric(float64(running.Milliseconds()), "running-ms")
			b.ReportMetric(float64(memory)/1024, "MiB")
			b.ReportMetric(100*idle.Seconds()/idleFor.Seconds(), "idle-%-of-a-core")
			b.ReportMetric(float64(busy.Milliseconds())/thousands, "cpu-ms/1000-messages")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// resident returns the memory of the process in the middle, in KiB.
func (s *stage) resident() (n int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.middle))
	if err != nil {
		s.b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		s.b.Fatal(err)
	}
	return n
}
