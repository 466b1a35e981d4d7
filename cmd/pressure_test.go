package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A machine is short of CPU time when a look is late, or when tasks waited for most of the time.
func TestPressure(t *testing.T) {
	for _, c := range []struct {
		name   string
		took   time.Duration   // between two looks
		waited []time.Duration // at each; nil: the kernel does not report it
		want   bool
	}{
		{"idle", time.Second, []time.Duration{0, 0}, false},
		{"busy", time.Second, []time.Duration{time.Hour, time.Hour + 700*time.Millisecond}, false},
		{"starved", time.Second, []time.Duration{time.Hour, time.Hour + 900*time.Millisecond}, true},
		{"we are late ourselves", 1600 * time.Millisecond, []time.Duration{0, 0}, true},
		{"the kernel does not report it", time.Second, nil, false},
		{"and we are late", 2 * time.Second, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPressure()
			p.file = filepath.Join(t.TempDir(), "cpu")
			for i, took := range []time.Duration{time.Second, c.took} {
				if c.waited != nil {
					text := fmt.Sprintf("some avg10=1.00 avg60=2.00 avg300=3.00 total=%d\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", c.waited[i].Microseconds())
					if err := os.WriteFile(p.file, []byte(text), 0o600); err != nil {
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
