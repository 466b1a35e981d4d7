package fakecluster

import (
	"sync"
	"time"

	"github.com/discluster/control/test/sim"
)

// Diary holds what bots behind gateway hosts got, in order.
type Diary struct {
	mu    sync.Mutex
	Notes []Note
	Ends  map[*sim.Proc]time.Time // of hosts
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
	d.Notes = append(d.Notes, Note{time.Now(), s.id, sessionOf(s.session), s.host, s.p, n, acked})
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
	if d.Ends == nil {
		d.Ends = map[*sim.Proc]time.Time{}
	}
	d.Ends[p] = time.Now()
}
