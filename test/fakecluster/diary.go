package fakecluster

import (
	"slices"
	"sync"
	"time"

	"github.com/discluster/control/test/sim"
)

// Diary holds what bots behind gateway hosts got, in order. Programs write it on goroutines of
// their own, the story reads it.
type Diary struct {
	mu    sync.Mutex
	notes []Note
	ends  map[*sim.Proc]time.Time // of hosts
}

// Since returns the notes after the first n.
func (d *Diary) Since(n int) []Note {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.notes[n:])
}

// End returns when a host ended; zero: it has not.
func (d *Diary) End(host *sim.Proc) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ends[host]
}

// Ends returns how many hosts have ended.
func (d *Diary) Ends() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.ends)
}

// Note is a numbered event that a bot got, or that its host is known to know as handled.
type Note struct {
	At      time.Time
	Shard   int
	Session string // Discord's
	Host    *sim.Proc
	Bot     *sim.Proc
	Number  int64
	Acked   bool // this number and all before it
}

func (d *Diary) note(s *behindShard, n int64, acked bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notes = append(d.notes, Note{time.Now(), s.id, sessionOf(s.session), s.host, s.p, n, acked})
}

func (d *Diary) got(s *behindShard, n int64) { d.note(s, n, false) }

func (d *Diary) acked(s *behindShard, n int64) {
	if n > 0 {
		d.note(s, n, true)
	}
}

func (d *Diary) hostEnded(p *sim.Proc) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ends == nil {
		d.ends = map[*sim.Proc]time.Time{}
	}
	d.ends[p] = time.Now()
}
