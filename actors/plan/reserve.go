package plan

import (
	"time"

	"github.com/discluster/control/messages"
)

// A bot that cannot ask for permits has every bucket of its shards reserved before its start, until
// all its shards are READY or it is dead.
const (
	// HoldFor is the least time a bucket is kept without a renewal: it stays busy that long when its
	// CONTROL dies.
	HoldFor = 90 * time.Second
	// HoldMost is the longest time it is kept.
	HoldMost = 5 * time.Minute
	// HoldAgain is the interval of renewals.
	HoldAgain = 30 * time.Second
)

// Booking is one bucket to reserve: Shard is the first of the cluster's shards in it, Identifies
// how many there are.
type Booking struct {
	Shard, Identifies int
}

// Bookings returns every bucket that shards have, in the order of the buckets. Clusters that take
// them in this order, each once it has the one before, cannot deadlock.
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
	// a stock Discordoo's own, between two of its shards, whatever max_concurrency (PROTOCOL A3.9)
	stockPace = 15 * time.Second
	// beyond its pace: it retries what Discord refuses, without reporting it (PROTOCOL A3.5)
	startMargin = 5 * time.Minute
)

// StockStart returns how long a stock Discordoo may take from HELLO until all of its shards are
// connected.
func StockStart(shards messages.ShardRange) time.Duration {
	return time.Duration(shards.Len()-1)*stockPace + startMargin
}

// How long a bot without a protocol may take to identify. The slowest library counts: a bot that
// identifies after its reservation ended breaks Discord's limit.
const (
	envBoot = 30 * time.Second // from exec to its first identify
	envWoke = 10 * time.Second // from its first output to that, where that is later
	// envPace is the most that a library leaves between two shards: discord.js 14 waits 5 s and up to
	// 1.5 s more. eris leaves 5 to 5.5 s, discord.py 5 s and what connecting takes. Some ignore
	// max_concurrency, so that all shards of a cluster go one after the other.
	envPace = 6500 * time.Millisecond
)

// Identified returns the moment by which a bot that cannot ask has sent its last identify: one that
// was started at started, and gave its first sign of life at woke, zero while there is none.
func Identified(p messages.Protocol, shards messages.ShardRange, started, woke time.Time) time.Time {
	first := started.Add(envBoot)
	if p == messages.ProtocolDiscordoo {
		return first.Add(time.Duration(shards.Len()) * stockPace)
	}
	if !woke.IsZero() {
		first = later(first, woke.Add(envWoke))
	}
	return first.Add(time.Duration(shards.Len()) * envPace)
}

// EnvSoonest returns how long a bot that heeds max_concurrency takes at least from its first
// identify to its last: one that claims to be ready sooner has shards left to start.
func EnvSoonest(shards messages.ShardRange, maxConcurrency int) time.Duration {
	most := 0
	for _, b := range Bookings(shards, maxConcurrency) {
		most = max(most, b.Identifies)
	}
	return time.Duration(most-1) * IdentifyEvery
}

// EnvStart returns how long a bot without a protocol may take until its rule reports it ready.
func EnvStart(shards messages.ShardRange) time.Duration {
	return envBoot + time.Duration(shards.Len())*envPace + startMargin
}

// Holding returns how long a bucket must be kept from now on, without a renewal, for a process that
// has sent its last identify by last.
func Holding(last, now time.Time) time.Duration {
	return min(max(last.Sub(now), HoldFor), HoldMost)
}

// assumedAfter is the time a process whose readiness is only assumed must have lived for its start
// to count as one that worked.
const assumedAfter = 5 * time.Minute

// ServedFor returns how long a process counts as having served that was ready for up, and lived for
// lived. A process that was only assumed ready may have died during its start, so it counts as
// served only after assumedAfter.
func ServedFor(assumed bool, up, lived time.Duration) time.Duration {
	if assumed && lived < assumedAfter {
		return 0
	}
	return up
}
