package cmd

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// pressure watches whether this machine has CPU time to spare: by its own lateness, and by what the kernel reports of tasks that had to wait (Linux, /proc/pressure/cpu).
type pressure struct {
	began time.Time
	until atomic.Int64 // the machine counts as short of CPU time until then, in nanoseconds since began

	file   string
	waited time.Duration // that some task had to wait, until the last look
	known  bool          // waited is
}

const (
	pressureEvery = time.Second
	pressureLate  = 500 * time.Millisecond // a look that is so late was short of CPU time itself
	pressureShare = 0.8                    // of the time some task had to wait: a machine that is merely busy has less
	pressureFor   = 10 * time.Second       // from the last sign of it
)

func newPressure() *pressure { return &pressure{began: time.Now(), file: "/proc/pressure/cpu"} }

// starved is World.Starved.
func (p *pressure) starved() bool { return int64(time.Since(p.began)) < p.until.Load() }

// watch looks every second, until ended.
func (p *pressure) watch(ended <-chan struct{}) {
	ticker := time.NewTicker(pressureEvery)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ended:
			return
		case <-ticker.C:
			now := time.Now()
			p.look(now, now.Sub(last))
			last = now
		}
	}
}

// look takes what is known at now, took after the last look.
func (p *pressure) look(now time.Time, took time.Duration) {
	waited, known := p.read()
	short := took > pressureEvery+pressureLate || known && p.known && (waited-p.waited).Seconds() > pressureShare*took.Seconds()
	if p.waited, p.known = waited, known; short {
		p.until.Store(int64(now.Add(pressureFor).Sub(p.began)))
	}
}

// read returns how long some task has had to wait for CPU time since the machine was started; false where the kernel does not report it.
func (p *pressure) read() (waited time.Duration, known bool) {
	text, err := os.ReadFile(p.file)
	if err != nil {
		return 0, false
	}
	var ten, sixty, fiveMinutes float64
	var total int64
	if _, err := fmt.Sscanf(string(text), "some avg10=%f avg60=%f avg300=%f total=%d", &ten, &sixty, &fiveMinutes, &total); err != nil {
		return 0, false
	}
	return time.Duration(total) * time.Microsecond, true
}
