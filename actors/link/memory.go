package link

import (
	"fmt"
	"slices"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// File is the file of the state folder that holds a Memory.
const File = "link.json"

// Memory holds what one run of CONTROL leaves to the next.
type Memory struct {
	Instance string               `json:"instance"` // of this installation: distinguishes it from another CONTROL of the same source
	Epoch    int64                `json:"epoch"`    // the highest epoch obeyed
	Halted   *messages.Halt       `json:"halted,omitempty"`
	Resumed  *messages.Halt       `json:"resumed,omitempty"` // the last halt that an operator lifted
	Drained  bool                 `json:"drained,omitempty"` // by an operator's order MASTER grants no range
	Lent     messages.BudgetShare `json:"lent,omitzero"`     // of the day's budget, MASTER's last

	// What is served, saved before any of it starts.
	ShardCount       int                   `json:"shard_count,omitempty"`
	MaxConcurrency   int                   `json:"max_concurrency,omitempty"`
	ShardsPerCluster int                   `json:"shards_per_cluster,omitempty"`
	Place            messages.Place        `json:"place"`
	Ranges           []messages.ShardRange `json:"ranges,omitempty"`
	Epochs           []int64               `json:"epochs,omitempty"` // of the orders for them, one for each
	LeaseMS          messages.Milliseconds `json:"lease_ms,omitempty"`
}

// served returns the ranges with the epochs of their orders.
func (m *Memory) served() (all []messages.RangeInfo) {
	for i, r := range m.Ranges {
		info := messages.RangeInfo{Range: r, State: messages.RangeConnecting, Epoch: m.Epoch}
		if len(m.Epochs) == len(m.Ranges) {
			info.Epoch = m.Epochs[i]
		}
		all = append(all, info)
	}
	return all
}

// loaded takes over the previous run's memory, or names a new installation, then dials. It retries
// a file that cannot be read: a new installation would end the bots of this one.
func (l *Link) loaded(e Loaded) {
	if e.Err != nil {
		if l.unread == 0 {
			l.raise(messages.StateUnreadable{File: File, Err: e.Err.Error()})
		}
		l.in(plan.SearchAgain(l.unread, l.options.Rand()))
		l.unread++
		return
	}
	l.recalled = true
	if e.Memory != nil {
		l.memory = *e.Memory
	}
	if l.memory.Instance == "" {
		l.memory.Instance = fmt.Sprintf("%016x%016x", uint64(l.options.Rand()*(1<<63)), uint64(l.options.Rand()*(1<<63)))
		l.save()
	}
	l.takeBack()
	l.redial()
}

// takeBack orders the clusters to take back what the previous run served.
func (l *Link) takeBack() {
	m := l.memory
	l.settings.Place, l.settings.Lent = m.Place, m.Lent
	if len(m.Ranges) > 0 {
		l.settings = messages.Settings{ShardCount: m.ShardCount, MaxConcurrency: m.MaxConcurrency, ShardsPerCluster: m.ShardsPerCluster, Epoch: m.Epoch, Place: m.Place, Lent: m.Lent}
		l.status.Ranges = m.served()
		l.deliver(Gate, l.settings)
	}
	if l.lease.length = m.LeaseMS.Duration(); l.lease.length > 0 {
		// what is left of it is unknown: a running bot has received its own, and no other may start
		l.lease.until = l.now
	}
	l.deliver(Clusters, l.leaseNow())
	l.deliver(Clusters, messages.TakeBack{Settings: l.settings, Ranges: m.served()})
}

// keepServed saves what is served and what is about to be, without what is being drained. During a
// stop of CONTROL it changes nothing: if that is killed the next run takes the bots back.
func (l *Link) keepServed() {
	if l.stopping {
		return
	}
	m, s := &l.memory, l.settings
	ranges := slices.Clone(l.orders.pending)
	epochs := slices.Repeat([]int64{s.Epoch}, len(ranges))
	for _, r := range l.status.Ranges {
		if r.State != messages.RangeDraining {
			ranges, epochs = append(ranges, r.Range), append(epochs, r.Epoch)
		}
	}
	m.ShardCount, m.MaxConcurrency, m.ShardsPerCluster, m.Place, m.Ranges, m.Epochs = s.ShardCount, s.MaxConcurrency, s.ShardsPerCluster, s.Place, ranges, epochs
	l.save()
}

// save saves the memory.
func (l *Link) save() {
	if l.recalled { // else what is on disk would be lost
		l.do(Save{l.memory})
	}
}
