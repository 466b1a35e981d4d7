package plan

import (
	"time"

	"github.com/discluster/control/messages"
)

// Forecast is the expected course of a start of a whole bot.
type Forecast struct {
	Waves      []Wave
	Last       time.Duration // from the first identify to the last: no start can be faster
	Identifies int
	Left       int // of the day's identifies, after it; below 0: the number missing
	Low        bool
	Machines   [][]messages.ShardRange // ranges of each machine; none: a spare
}

// Wave is the shards that may identify at one moment: one of every bucket.
type Wave struct {
	At     time.Duration // from the first identify
	Shards messages.ShardRange
}

// Start is the input of a forecast.
type Start struct {
	Shards, MaxConcurrency, PerCluster int
	Machines, Spares                   int
	Margin                             time.Duration // beyond Discord's 5 s
	Budget                             Budget        // zero: unknown
	Resumes                            bool          // every session is alive: a restart, which identifies nothing
}

// Foresee returns the forecast of a start or a restart.
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
