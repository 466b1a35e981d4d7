package plan

import (
	"time"

	"github.com/discluster/control/messages"
)

// A bot that cannot ask for permits has every bucket of its shards kept for it before it is started, until all its shards are READY or it is dead.
const (
	// HoldFor is how long a bucket is kept without being asked for again: what a CONTROL that died leaves busy.
	HoldFor = 90 * time.Second
	// HoldAgain is how often it is asked for again meanwhile.
	HoldAgain = 30 * time.Second
)

// Booking is one bucket that is to be kept: Shard is the first of the cluster's shards in it, Identifies how many there are.
type Booking struct {
	Shard, Identifies int
}

// Bookings is every bucket that shards have, in the order of the buckets. Who takes them in this order, each once it has the one before, waits for nobody that waits for it.
func Bookings(shards messages.ShardRange, maxConcurrency int) []Booking {
	maxConcurrency = max(maxConcurrency, 1)
	in := make([]Booking, maxConcurrency)
	for _, shard := range shards.Shards() {
		b := &in[shard%maxConcurrency]
		if b.Identifies == 0 {
			b.Shard = shard
		}
		b.Identifies++
	}
	var all []Booking
	for _, b := range in {
		if b.Identifies > 0 {
			all = append(all, b)
		}
	}
	return all
}

// How long a bot that paces itself may take.
const (
	stockPace   = 15 * time.Second // a stock Discordoo's own, between two of its shards, whatever max_concurrency (WIRE A3.9)
	startMargin = 5 * time.Minute  // beyond its pace: it retries what Discord refuses, and tells nobody (WIRE A3.5)
)

// StockStart is how long a stock Discordoo may take from HELLO until all of its shards are connected.
func StockStart(shards messages.ShardRange) time.Duration {
	return time.Duration(shards.Len()-1)*stockPace + startMargin
}

// Waves is how long the identifies of a bot that knows max_concurrency take: one a bucket per 5 s.
func Waves(shards messages.ShardRange, maxConcurrency int) time.Duration {
	most := 0
	for _, b := range Bookings(shards, maxConcurrency) {
		most = max(most, b.Identifies)
	}
	return time.Duration(most) * IdentifyEvery
}

// EnvStart is how long a bot of no protocol may take until its rule says that it is ready.
func EnvStart(shards messages.ShardRange, maxConcurrency int) time.Duration {
	return Waves(shards, maxConcurrency) + startMargin
}
