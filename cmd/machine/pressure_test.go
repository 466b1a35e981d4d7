package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// A machine is short of CPU time if a tick is late, or if tasks waited for most of the time.
func TestPressure(t *testing.T) {
	for _, c := range []struct {
		name   string
		took   time.Duration   // between two looks
		waited []time.Duration // at each look; nil: the kernel does not report it
		tasks  int             // tasks that want to run, for each processor
		want   bool
	}{
		{"idle", time.Second, []time.Duration{0, 0}, 1, false},
		{"busy", time.Second, []time.Duration{time.Hour, time.Hour + 700*time.Millisecond}, 9, false},
		{"busy, with few tasks", time.Second, []time.Duration{time.Hour, time.Hour + time.Second}, 2, false},
		{"starved", time.Second, []time.Duration{time.Hour, time.Hour + 900*time.Millisecond}, 4, true},
		{"a late tick", 1600 * time.Millisecond, []time.Duration{0, 0}, 1, true},
		{"the kernel does not report it", time.Second, nil, 9, false},
		{"not reported, and a late tick", 2 * time.Second, nil, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPressure()
			dir := t.TempDir()
			p.stalls, p.load = filepath.Join(dir, "cpu"), filepath.Join(dir, "loadavg")
			if err := os.WriteFile(p.load, fmt.Appendf(nil, "0.50 1.00 2.00 %d/467 12345\n", c.tasks*runtime.NumCPU()), 0o600); err != nil {
				t.Fatal(err)
			}
			for i, took := range []time.Duration{time.Second, c.took} {
				if c.waited != nil {
					text := fmt.Sprintf("some avg10=1.00 avg60=2.00 avg300=3.00 total=%d\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", c.waited[i].Microseconds())
					if err := os.WriteFile(p.stalls, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				p.look(time.Now(), took)
			}
			if got := p.starved(); got != c.want {
				t.Errorf("starved %v, want %v", got, c.want)
			}
		})
	}
}
