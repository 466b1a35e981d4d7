package actors

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// This file is what MasterLink leaves to the next life of CONTROL, and takes over from the last.

// linkMemory is what link.json holds.
type linkMemory struct {
	Instance string         `json:"instance"` // tells a reconnect of ours from another CONTROL with our source
	Epoch    int64          `json:"epoch"`    // the highest epoch obeyed
	Halted   *messages.Halt `json:"halted,omitempty"`
	Resumed  *messages.Halt `json:"resumed,omitempty"` // the last halt that an operator lifted

	Drained bool `json:"drained,omitempty"` // MASTER gives us nothing, by order of an operator

	Lent messages.Share `json:"lent,omitzero"` // of the day's budget, as MASTER lent it last

	// What is served, for the next life. It is written before anything of it is started.
	ShardCount       int                   `json:"shard_count,omitempty"`
	MaxConcurrency   int                   `json:"max_concurrency,omitempty"`
	ShardsPerCluster int                   `json:"shards_per_cluster,omitempty"`
	Place            messages.Place        `json:"place"`
	Ranges           []messages.ShardRange `json:"ranges,omitempty"`
	Epochs           []int64               `json:"epochs,omitempty"` // of the orders for them, one each
	LeaseMS          messages.Milliseconds `json:"lease_ms,omitempty"`
}

// served is what is served by it.
func (k *linkMemory) served() (all []messages.RangeInfo) {
	for i, r := range k.Ranges {
		info := messages.RangeInfo{Range: r, State: messages.RangeConnecting, Epoch: k.Epoch}
		if len(k.Epochs) == len(k.Ranges) {
			info.Epoch = k.Epochs[i]
		}
		all = append(all, info)
	}
	return all
}

const linkFile = "link.json"

// linkSaved is the disk's answer.
type linkSaved struct{ err error }

// IgnoreDeadLetterLogging: it may come after CONTROL has stopped.
func (linkSaved) IgnoreDeadLetterLogging() {}

// remember takes over what the last life left, and makes a name for this installation at its first
// start. It reports false where the disk does not let it: a new installation would end the bots of
// this one, so that it waits.
func (m *MasterLink) remember(ctx actor.Context) bool {
	data, err := m.W.Load(linkFile)
	if err != nil {
		if m.unread == 0 {
			m.raise(ctx, messages.StateUnreadable{File: linkFile, Err: err.Error()})
		}
		m.In(ctx, plan.SearchAgain(m.unread, m.W.Rand()))
		m.unread++
		return false
	}
	m.recalled = true
	if data != nil {
		err = json.Unmarshal(data, &m.memory)
	}
	if err != nil {
		m.Log.Warn().Err(err).Str("file", linkFile).Msg("starting as a new installation")
	}
	if m.memory.Instance == "" {
		m.memory.Instance = fmt.Sprintf("%016x%016x", uint64(m.W.Rand()*(1<<63)), uint64(m.W.Rand()*(1<<63)))
		m.save(ctx)
	}
	m.takeBack(ctx)
	return true
}

// takeBack lets the clusters look for what an earlier life served.
func (m *MasterLink) takeBack(ctx actor.Context) {
	k := m.memory
	m.settings.Place, m.settings.Lent = k.Place, k.Lent
	if len(k.Ranges) > 0 {
		m.settings = messages.Settings{ShardCount: k.ShardCount, MaxConcurrency: k.MaxConcurrency, ShardsPerCluster: k.ShardsPerCluster, Epoch: k.Epoch, Place: k.Place, Lent: k.Lent}
		m.standing.Ranges = k.served()
		ctx.Send(m.house.Gate, m.settings)
	}
	if m.lease.length = k.LeaseMS.Duration(); m.lease.length > 0 {
		m.lease.until = time.Now() // what is left of it nobody knows here: a bot that has heard of it does, and one that has not may not begin
	}
	ctx.Send(m.house.Clusters, m.leaseNow())
	ctx.Send(m.house.Clusters, messages.TakeBack{Settings: m.settings, Ranges: k.served()})
}

// keepServed writes down what is served and what is about to be. What is being drained is not, but
// for a stop of CONTROL that is not over: a kill in its middle leaves bots that the next life takes
// back.
func (m *MasterLink) keepServed(ctx actor.Context) {
	if m.stopping {
		return
	}
	k := &m.memory
	s := m.settings
	ranges := slices.Clone(m.orders.pending)
	epochs := slices.Repeat([]int64{s.Epoch}, len(ranges))
	for _, r := range m.standing.Ranges {
		if r.State != messages.RangeDraining {
			ranges, epochs = append(ranges, r.Range), append(epochs, r.Epoch)
		}
	}
	k.ShardCount, k.MaxConcurrency, k.ShardsPerCluster, k.Place, k.Ranges, k.Epochs = s.ShardCount, s.MaxConcurrency, s.ShardsPerCluster, s.Place, ranges, epochs
	m.save(ctx)
}

func (m *MasterLink) save(ctx actor.Context) {
	if !m.recalled { // what is there must not be lost
		return
	}
	data, err := json.Marshal(m.memory)
	if err != nil {
		panic(err) // a text and a number
	}
	send := world.Sender(ctx)
	m.W.Save(linkFile, data, func(err error) { send(linkSaved{err}) })
}
