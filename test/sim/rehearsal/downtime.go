package rehearsal

import (
	"slices"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
)

// downtime records which shards are served and for how long each was not. A shard is up while a
// process that does not hang has it READY.
type downtime struct {
	now    func() time.Duration
	shards []shardTime
	hung   map[*sim.Proc][]int // the shards that each process that hangs would serve
	began  int                 // number of shards that were READY once
	down   int                 // number of these that are not READY
	// changed is called when a shard goes down or comes up again.
	changed func(shard int, up bool)
}

// shardTime is the record of one shard.
type shardTime struct {
	owners  []*sim.Proc
	last    *sim.Proc // the last process that had it
	began   bool
	since   time.Duration // when it went down, while it is down
	total   time.Duration
	longest time.Duration
	times   int
}

func newDowntime(shards int, now func() time.Duration) *downtime {
	return &downtime{now: now, shards: make([]shardTime, shards), hung: map[*sim.Proc][]int{}, changed: func(int, bool) {}}
}

// moved records a bot's report: a process has a shard READY, or no longer.
func (d *downtime) moved(p *sim.Proc, shard int, up bool) {
	if kept, hangs := d.hung[p]; hangs { // it may end while it hangs
		d.hung[p] = slices.DeleteFunc(kept, func(s int) bool { return s == shard })
		return
	}
	s := &d.shards[shard]
	was := len(s.owners) > 0
	s.owners = slices.DeleteFunc(s.owners, func(o *sim.Proc) bool { return o == p })
	if up {
		s.owners, s.last = append(s.owners, p), p
	}
	switch is := len(s.owners) > 0; {
	case is == was:
	case is && !s.began:
		s.began = true
		d.began++
		d.changed(shard, true)
	case is:
		d.down--
		took := d.now() - s.since
		s.total, s.longest = s.total+took, max(s.longest, took)
		d.changed(shard, true)
	default:
		d.down++
		s.times++
		s.since = d.now()
		d.changed(shard, false)
	}
}

// hangs records that a process hangs, or (on false) no longer.
func (d *downtime) hangs(p *sim.Proc, on bool) {
	if !on {
		kept := d.hung[p]
		delete(d.hung, p)
		for _, shard := range kept {
			d.moved(p, shard, true)
		}
		return
	}
	var kept []int
	for shard := range d.shards {
		if slices.Contains(d.shards[shard].owners, p) {
			kept = append(kept, shard)
			d.moved(p, shard, false)
		}
	}
	d.hung[p] = kept
}

// allReady reports whether every shard is READY.
func (d *downtime) allReady() bool { return d.began == len(d.shards) && d.down == 0 }

// Downtime sums up how long shards were down, each after its first READY.
type Downtime struct {
	Shards int `json:"shards"` // number of shards that were ever down

	// Quantiles over the shards that were down, of each one's total time.
	MinMS    messages.Milliseconds `json:"min_ms"`
	MedianMS messages.Milliseconds `json:"median_ms"`
	P99MS    messages.Milliseconds `json:"p99_ms"`
	MaxMS    messages.Milliseconds `json:"max_ms"`
	// Worst are the shards with the longest downtime.
	Worst []ShardDowntime `json:"worst"`
}

// ShardDowntime is the downtime of one shard.
type ShardDowntime struct {
	Shard     int                   `json:"shard"`
	Owner     string                `json:"owner"` // the last one
	Times     int                   `json:"times"`
	TotalMS   messages.Milliseconds `json:"total_ms"`
	LongestMS messages.Milliseconds `json:"longest_ms"`
	Still     bool                  `json:"still"`
}

// worstShown is the number of shards that the report names.
const worstShown = 5

// report sums up at the end.
func (d *downtime) report() Downtime {
	var all []ShardDowntime
	for i, s := range d.shards {
		if s.times == 0 {
			continue
		}
		still := len(s.owners) == 0
		if still {
			took := d.now() - s.since
			s.total, s.longest = s.total+took, max(s.longest, took)
		}
		all = append(all, ShardDowntime{Shard: i, Owner: owner(s.last), Times: s.times, TotalMS: messages.Millis(s.total), LongestMS: messages.Millis(s.longest), Still: still})
	}
	sum := Downtime{Shards: len(all), Worst: []ShardDowntime{}}
	if len(all) == 0 {
		return sum
	}
	slices.SortStableFunc(all, func(a, b ShardDowntime) int { return int(b.TotalMS - a.TotalMS) })
	part := func(p float64) messages.Milliseconds { return all[int(float64(len(all)-1)*(1-p))].TotalMS }
	sum.MinMS, sum.MedianMS, sum.P99MS, sum.MaxMS = part(0), part(0.5), part(0.99), part(1)
	sum.Worst = all[:min(len(all), worstShown)]
	return sum
}
