package proc

import (
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
)

// sleeper is a child that starts quickly and stays.
var sleeper = Spec{Argv: []string{"/bin/sleep", "1000"}}

// raw forks a sleeper without this package: the floor.
func raw(b *testing.B) *os.Process {
	p, err := os.StartProcess(sleeper.Argv[0], sleeper.Argv, &os.ProcAttr{Env: []string{}, Sys: &syscall.SysProcAttr{Setpgid: true}})
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// BenchmarkKillToExit measures the time from SIGKILL to the exited callback, and compares it with
// kill and wait alone.
func BenchmarkKillToExit(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		measure(b, func() time.Duration {
			p := raw(b)
			begin := time.Now()
			_ = p.Kill()
			_, _ = p.Wait()
			return time.Since(begin)
		})
	})
	b.Run("proc", func(b *testing.B) {
		measure(b, func() time.Duration {
			p, exits := launch(b)
			begin := time.Now()
			p.Signal(syscall.SIGKILL)
			<-exits
			return time.Since(begin)
		})
	})
}

// BenchmarkStart measures the time from Start to done, and compares it with fork and exec alone.
func BenchmarkStart(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		measure(b, func() time.Duration {
			begin := time.Now()
			p := raw(b)
			took := time.Since(begin)
			_ = p.Kill()
			_, _ = p.Wait()
			return took
		})
	})
	b.Run("proc", func(b *testing.B) {
		measure(b, func() time.Duration {
			begin := time.Now()
			p, exits := launch(b)
			took := time.Since(begin)
			p.Signal(syscall.SIGKILL)
			<-exits
			return took
		})
	})
}

// launch is Start and Wait.
func launch(b *testing.B) (Process, <-chan Exit) {
	ch := make(chan started, 1)
	Start(sleeper, func(p Process, err error) { ch <- started{p, err} })
	s := <-ch
	if s.err != nil {
		b.Fatal(s.err)
	}
	return s.process, claim(s.process)
}

// measure reports the quantiles of what once returns; ns/op, which includes the rest of the loop,
// is left out.
func measure(b *testing.B, once func() time.Duration) {
	var took []time.Duration
	for b.Loop() {
		took = append(took, once())
	}
	slices.Sort(took)
	for name, at := range map[string]int{"p50-µs": len(took) / 2, "p99-µs": len(took) * 99 / 100} {
		b.ReportMetric(float64(took[at].Nanoseconds())/1000, name)
	}
	b.ReportMetric(0, "ns/op")
}
