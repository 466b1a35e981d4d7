package link

import (
	"fmt"
	"slices"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// File is the file of the state folder that holds a Memory.
const File = "link.json"

// Memory is the state that one run of CONTROL leaves to the next.
type Memory struct {
	Instance string         `json:"instance"` // distinguishes a reconnect from another CONTROL of the same source
	Epoch    int64          `json:"epoch"`    // the highest epoch obeyed
	Halted   *messages.Halt `json:"halted,omitempty"`
	Resumed  *messages.Halt `json:"resumed,omitempty"` // the last halt that an operator lifted
	Drained  bool           `json:"drained,omitempty"` // MASTER grants nothing here, by order of an operator
	Lent     messages.Share `json:"lent,omitzero"`     // of the day's budget, as MASTER lent it last

	// What is served. It is written before anything of it is started.
	ShardCount       int                   `json:"shard_count,omitempty"`
	MaxConcurrency   int                   `json:"max_concurrency,omitempty"`
	ShardsPerCluster int                   `json:"shards_per_cluster,omitempty"`
	Place            messages.Place        `json:"place"`
	Ranges           []messages.ShardRange `json:"ranges,omitempty"`
	Epochs           []int64               `json:"epochs,omitempty"` // of the orders for them, one for each
	LeaseMS          messages.Milliseconds `json:"lease_ms,omitempty"`
}

// served returns what was served.
func (k *Memory) served() (all []messages.RangeInfo) {
	for i, r := range k.Ranges {
		info := messages.RangeInfo{Range: r, State: messages.RangeConnecting, Epoch: k.Epoch}
		if len(k.Epochs) == len(k.Ranges) {
			info.Epoch = k.Epochs[i]
		}
		all = append(all, info)
	}
	return all
}

// loaded takes over the previous run's memory, and creates the name of this installation at its
// first start. Where the file cannot be read it waits: a new installation would end the bots of
// this one.
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

// takeBack lets the clusters look for what an earlier run served.
func (l *Link) takeBack() {
	k := l.memory
	l.settings.Place, l.settings.Lent = k.Place, k.Lent
	if len(k.Ranges) > 0 {
		l.settings = messages.Settings{ShardCount: k.ShardCount, MaxConcurrency: k.MaxConcurrency, ShardsPerCluster: k.ShardsPerCluster, Epoch: k.Epoch, Place: k.Place, Lent: k.Lent}
		l.status.Ranges = k.served()
		l.deliver(Gate, l.settings)
	}
	if l.lease.length = k.LeaseMS.Duration(); l.lease.length > 0 {
		// what is left of it is unknown here: a bot that has received it knows, and one that has not may
		// not begin
		l.lease.until = l.now
	}
	l.deliver(Clusters, l.leaseNow())
	l.deliver(Clusters, messages.TakeBack{Settings: l.settings, Ranges: k.served()})
}

// keepServed saves what is served and what is about to be. What is being drained is left out,
// except during a stop of CONTROL: a kill in its middle leaves bots that the next run takes back.
func (l *Link) keepServed() {
	if l.stopping {
		return
	}
	k, s := &l.memory, l.settings
	ranges := slices.Clone(l.orders.pending)
	epochs := slices.Repeat([]int64{s.Epoch}, len(ranges))
	for _, r := range l.status.Ranges {
		if r.State != messages.RangeDraining {
			ranges, epochs = append(ranges, r.Range), append(epochs, r.Epoch)
		}
	}
	k.ShardCount, k.MaxConcurrency, k.ShardsPerCluster, k.Place, k.Ranges, k.Epochs = s.ShardCount, s.MaxConcurrency, s.ShardsPerCluster, s.Place, ranges, epochs
	l.save()
}

// save saves the memory, once for several changes in a row.
func (l *Link) save() {
	if !l.recalled { // what is on disk would be lost
		return
	}
	if last := len(l.effects) - 1; last >= 0 {
		if _, is := l.effects[last].(Save); is {
			l.effects = l.effects[:last]
		}
	}
	l.do(Save{l.memory})
}
