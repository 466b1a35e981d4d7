package plan

import (
	"time"

	"github.com/discluster/control/messages"
)

// Forecast is what a start of a whole bot would be like.
type Forecast struct {
	Waves      []Wave
	Last       time.Duration // from the first identify to the last: no start can be faster
	Identifies int
	Left       int // of the day's, after it; below 0: so many are lacking
	Low        bool
	Machines   [][]messages.ShardRange // what each would get; none: a spare
}

// Wave is what may identify at one moment: one shard of every bucket.
type Wave struct {
	At     time.Duration // from the first identify
	Shards messages.ShardRange
}

// Start is what is known of a start to be.
type Start struct {
	Shards, MaxConcurrency, PerCluster int
	Machines, Spares                   int
	Margin                             time.Duration // beyond Discord's 5 s
	Budget                             Budget        // zero: not known
	Resumes                            bool          // every session is alive: a restart, which identifies nothing
}

// Foresee tells what a start or a restart would be like.
func Foresee(s Start) Forecast {
	f := Forecast{Machines: make([][]messages.ShardRange, s.Machines)}
	takers := make([]Taker, Takers(s.Machines, s.Spares, s.Shards, 0, 0))
	for i := range takers {
		takers[i].Weight = 1
	}
	copy(f.Machines, Place([]messages.ShardRange{{First: 0, Last: s.Shards - 1}}, s.PerCluster, takers))
	if !s.Resumes {
		f.Identifies = s.Shards
		for first := 0; first < s.Shards; first += s.MaxConcurrency {
			at := time.Duration(len(f.Waves)) * (IdentifyEvery + s.Margin)
			f.Waves = append(f.Waves, Wave{At: at, Shards: messages.ShardRange{First: first, Last: min(first+s.MaxConcurrency, s.Shards) - 1}})
			f.Last = at
		}
	}
	f.Left = s.Budget.Remaining - f.Identifies
	f.Low = s.Budget.Total > 0 && f.Left <= s.Budget.Reserve
	return f
}
