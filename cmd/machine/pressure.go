package machine

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// pressure detects that this machine is so short of CPU time that processes are late by seconds: if
// its own ticks are late, or if Linux reports both that tasks waited for most of a second
// (/proc/pressure/cpu) and that many want to run (/proc/loadavg). On a machine that is merely busy
// only the former holds, and processes are late by little.
type pressure struct {
	began time.Time
	until atomic.Int64 // end of the shortage, in nanoseconds since began

	stalls string        // path of /proc/pressure/cpu
	load   string        // path of /proc/loadavg
	waited time.Duration // total wait of tasks at the last look
	known  bool          // waited is known
}

const (
	pressureEvery = time.Second
	pressureLate  = 500 * time.Millisecond // lateness of a tick that shows a shortage
	pressureShare = 0.8                    // share of the time in which some task waited
	pressureTasks = 4                      // tasks that want to run, for each processor
	pressureFor   = 10 * time.Second       // how long a shortage counts after its last sign
)

func newPressure() *pressure {
	return &pressure{began: time.Now(), stalls: "/proc/pressure/cpu", load: "/proc/loadavg"}
}

// starved is World.Starved.
func (p *pressure) starved() bool { return int64(time.Since(p.began)) < p.until.Load() }

// watch looks every second until ended is closed.
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

// look evaluates one tick at now, took after the previous one.
func (p *pressure) look(now time.Time, took time.Duration) {
	waited, known := p.read()
	short := took > pressureEvery+pressureLate || known && p.known && (waited-p.waited).Seconds() > pressureShare*took.Seconds() && p.crowded()
	if p.waited, p.known = waited, known; short {
		p.until.Store(int64(now.Add(pressureFor).Sub(p.began)))
	}
}

// read returns how long some task has waited for CPU time since the machine started, false if the
// kernel does not report it.
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

// crowded reports whether many tasks want to run.
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
