package cmd

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// pressure watches whether this machine is so short of CPU time that processes are late by seconds:
// by its own lateness, and by what the kernel reports (Linux): tasks had to wait for most of a
// second (/proc/pressure/cpu), and many want to run (/proc/loadavg). A machine that is merely busy
// has the first, and its processes are late by little.
type pressure struct {
	began time.Time
	until atomic.Int64 // the machine counts as short of CPU time until then, in nanoseconds since began

	stalls string // the files
	load   string
	waited time.Duration // that some task had to wait, until the last look
	known  bool          // waited is
}

const (
	pressureEvery = time.Second
	pressureLate  = 500 * time.Millisecond // a look that is so late was short of CPU time itself
	pressureShare = 0.8                    // of the time in which some task had to wait
	pressureTasks = 4                      // that want to run, for each processor
	pressureFor   = 10 * time.Second       // from the last sign of it
)

func newPressure() *pressure {
	return &pressure{began: time.Now(), stalls: "/proc/pressure/cpu", load: "/proc/loadavg"}
}

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
	short := took > pressureEvery+pressureLate || known && p.known && (waited-p.waited).Seconds() > pressureShare*took.Seconds() && p.crowded()
	if p.waited, p.known = waited, known; short {
		p.until.Store(int64(now.Add(pressureFor).Sub(p.began)))
	}
}

// read returns how long some task has had to wait for CPU time since the machine was started; false
// where the kernel does not report it.
func (p *pressure) read() (waited time.Duration, known bool) {
	text, err := os.ReadFile(p.stalls)
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

// crowded reports whether many tasks want to run at this moment.
func (p *pressure) crowded() bool {
	text, err := os.ReadFile(p.load)
	if err != nil {
		return false
	}
	var one, five, fifteen float64
	var running int
	_, err = fmt.Sscanf(string(text), "%f %f %f %d/", &one, &five, &fifteen, &running)
	return err == nil && running >= pressureTasks*runtime.NumCPU()
}
