//go:build linux

package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// hail reports to the benchmark that the process runs, and ends with it.
func hail() error {
	c, err := net.Dial("unix", os.Getenv(ordersVariable))
	if err != nil {
		return err
	}
	if err := json.NewEncoder(c).Encode(os.Getenv("CLUSTER_ID")); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1))
	return err
}

// daemon is a CONTROL whose log is read as it comes.
type daemon struct {
	*stage
	cmd    *exec.Cmd
	logged chan logged
}

// logged is a line of its log.
type logged struct {
	at      time.Time
	Message string `json:"message"`
	Cluster int    `json:"cluster"`
	PID     int    `json:"pid"`
}

// run starts a daemon on a stage.
func (s *stage) run(env []string, command ...string) *daemon {
	in, out, err := os.Pipe()
	if err != nil {
		s.b.Fatal(err)
	}
	defer out.Close()
	d := &daemon{stage: s, logged: make(chan logged, 4096)}
	d.cmd = s.spawnTo(out, env, binary(s.b), append([]string{"run", "--"}, command...)...)
	s.middle = d.cmd.Process.Pid
	go func() {
		defer in.Close()
		for lines := bufio.NewScanner(in); lines.Scan(); {
			line := logged{at: time.Now()}
			if json.Unmarshal(lines.Bytes(), &line) == nil {
				d.logged <- line
			}
		}
	}()
	return d
}

// hears waits for n lines of one kind, and returns the last.
func (d *daemon) hears(message string, n int) (last logged) {
	d.b.Helper()
	late := time.After(time.Minute)
	for n > 0 {
		select {
		case line := <-d.logged:
			if line.Message == message {
				last, n = line, n-1
			}
		case <-late:
			d.b.Fatalf("not within a minute: %d times %s", n, message)
		}
	}
	return last
}

// gone ends a daemon without a chance to do anything.
func (d *daemon) gone() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

// arrives waits for the next process to come, and returns when it did.
func (s *stage) arrives() time.Time {
	s.b.Helper()
	_ = s.come.(*net.UnixListener).SetDeadline(time.Now().Add(time.Minute))
	c, err := s.come.Accept()
	if err != nil {
		s.b.Fatal(err)
	}
	s.b.Cleanup(func() { _ = c.Close() })
	return time.Now()
}

// BenchmarkKilled measures a cluster process that gets SIGKILL: until the daemon has logged it,
// beside kill and wait; and until the next process runs its program, beside kill, wait, fork and
// exec of the same program. Each cluster dies once, so that no restart waits.
func BenchmarkKilled(b *testing.B) {
	const n = 32
	s := newStage(b)
	d := s.run(append(s.settings(n, 1), roleVariable+"=quick"), os.Args[0])
	for range n {
		s.arrives()
	}
	pids := map[int]int{}
	for range n {
		ready := d.hears("cluster.ready", 1)
		pids[ready.Cluster] = ready.PID
	}
	floor := newStage(b)
	raw := func() *exec.Cmd {
		return floor.spawnTo(os.Stderr, []string{roleVariable + "=hail"}, os.Args[0])
	}
	one := raw()
	floor.arrives()
	var known, waited, running, forked []time.Duration
	for i := 0; b.Loop(); i++ {
		if i >= n {
			continue
		}
		began := time.Now()
		_ = one.Process.Kill()
		_ = one.Wait()
		waited = append(waited, time.Since(began))
		one = raw()
		forked = append(forked, floor.arrives().Sub(began))

		began = time.Now()
		_ = syscall.Kill(pids[i], syscall.SIGKILL)
		running = append(running, s.arrives().Sub(began))
		known = append(known, d.hears("cluster.died", 1).at.Sub(began))
		d.hears("cluster.ready", 1)
	}
	report(b, "known", known, waited)
	report(b, "running", running, forked)
}

// report reports a median, that of its floor, and how they compare.
func report(b *testing.B, name string, all, floor []time.Duration) {
	b.ReportMetric(float64(median(all).Microseconds()), name+"-µs")
	b.ReportMetric(float64(median(floor).Microseconds()), name+"-floor-µs")
	b.ReportMetric(float64(median(all))/float64(median(floor)), name+"/floor")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkBack measures ten shards whose process gets SIGKILL after a moment of service, until all
// are READY again: they resume.
func BenchmarkBack(b *testing.B) {
	const clusters, each = 8, 10
	s := newStage(b)
	d := s.run(s.settings(clusters*each, each), binary(b), "bot")
	pids := map[int]int{}
	for range clusters {
		ready := d.hears("cluster.ready", 1)
		pids[ready.Cluster] = ready.PID
	}
	var back []time.Duration
	for i := 0; b.Loop(); i++ {
		if i >= clusters {
			continue
		}
		began := time.Now()
		_ = syscall.Kill(pids[i], syscall.SIGKILL)
		back = append(back, d.hears("cluster.ready", 1).at.Sub(began))
	}
	b.ReportMetric(float64(median(back).Milliseconds()), "ready-ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAdopted measures a daemon that takes back 32 processes which outlived the one before.
func BenchmarkAdopted(b *testing.B) {
	const n = 32
	s := newStage(b)
	env := append(s.settings(n, 1), roleVariable+"=sdk")
	d := s.run(env, os.Args[0])
	s.gather(n)
	d.hears("cluster.ready", n)
	var adopted []time.Duration
	for b.Loop() {
		d.gone()
		began := time.Now()
		d = s.run(env, os.Args[0])
		adopted = append(adopted, d.hears("cluster.adopted", n).at.Sub(began))
	}
	b.ReportMetric(float64(median(adopted).Milliseconds()), fmt.Sprintf("adopted-%d-ms", n))
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFirstChild measures `control run` from its start until its first cluster process runs
// its program, beside a process that starts that program only.
func BenchmarkFirstChild(b *testing.B) {
	s, floor := newStage(b), newStage(b)
	env := append(s.settings(1, 1), roleVariable+"=hail")
	var first, alone []time.Duration
	for b.Loop() {
		began := time.Now()
		one := floor.spawnTo(os.Stderr, []string{roleVariable + "=hail"}, os.Args[0])
		alone = append(alone, floor.arrives().Sub(began))
		_ = one.Process.Kill()
		_ = one.Wait()

		began = time.Now()
		d := s.run(env, os.Args[0])
		first = append(first, s.arrives().Sub(began))
		_ = d.cmd.Process.Signal(syscall.SIGTERM)
		_ = d.cmd.Wait()
	}
	report(b, "child", first, alone)
}
