package plan

import (
	"slices"

	"github.com/discluster/control/messages"
)

// Unserved returns what of shards 0..count-1 lies in none of the served ranges, in order.
func Unserved(count int, served []messages.ShardRange) []messages.ShardRange {
	served = slices.Clone(served)
	slices.SortFunc(served, func(a, b messages.ShardRange) int { return a.First - b.First })
	var free []messages.ShardRange
	next := 0
	for _, r := range served {
		if r.First > next {
			free = append(free, messages.ShardRange{First: next, Last: min(r.First, count) - 1})
		}
		next = max(next, r.Last+1)
	}
	if next < count {
		free = append(free, messages.ShardRange{First: next, Last: count - 1})
	}
	return free
}

// Without returns what is left of the ranges when one is taken out, in order.
func Without(ranges []messages.ShardRange, out messages.ShardRange) []messages.ShardRange {
	var left []messages.ShardRange
	for _, r := range ranges {
		if !r.Overlaps(out) {
			left = append(left, r)
			continue
		}
		if r.First < out.First {
			left = append(left, messages.ShardRange{First: r.First, Last: out.First - 1})
		}
		if r.Last > out.Last {
			left = append(left, messages.ShardRange{First: out.Last + 1, Last: r.Last})
		}
	}
	return left
}

// Taker is a machine that may take shards.
type Taker struct {
	Weight float64 // what it can carry, relative to the others; > 0
	Has    int     // shards it serves already
}

// Place divides the free ranges over machines in whole clusters of per shards, so that each carries
// by its weight, and each share is as contiguous as they allow. Machine i gets share i, which is
// empty where there are more machines than clusters.
func Place(free []messages.ShardRange, per int, takers []Taker) [][]messages.ShardRange {
	var cells []messages.ShardRange
	for _, r := range free {
		for _, c := range Cut(r, per) {
			cells = append(cells, c.Shards)
		}
	}
	shares := make([][]messages.ShardRange, len(takers))
	for i, n := range counts(len(cells), per, takers) {
		for _, cell := range cells[:n] {
			share := shares[i]
			if last := len(share) - 1; last >= 0 && share[last].Last+1 == cell.First {
				share[last].Last = cell.Last
			} else {
				shares[i] = append(share, cell)
			}
		}
		cells = cells[n:]
	}
	return shares
}

// counts returns how many of the clusters of per shards each machine takes. It finds one level of
// load by weight, by bisection, and gives what rounding leaves over one each to the least loaded.
func counts(clusters, per int, takers []Taker) []int {
	all := make([]int, len(takers))
	if len(takers) == 0 {
		return all
	}
	fill := func(level float64) (sum int) {
		for i, t := range takers {
			all[i] = max(0, int((level*t.Weight-float64(t.Has))/float64(per)))
			sum += all[i]
		}
		return sum
	}
	low, high := 0.0, 1.0
	for fill(high) < clusters {
		high *= 2
	}
	for range 60 {
		if mid := (low + high) / 2; fill(mid) <= clusters {
			low = mid
		} else {
			high = mid
		}
	}
	left := clusters - fill(low)
	level := func(i int) float64 { return float64(takers[i].Has+(all[i]+1)*per) / takers[i].Weight }
	order := make([]int, len(takers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch la, lb := level(a), level(b); {
		case la < lb:
			return -1
		case la > lb:
			return 1
		}
		return 0
	})
	for _, i := range order[:min(left, len(order))] {
		all[i]++
	}
	return all
}

// Capacity holds the size of a machine, as it reports it.
type Capacity struct {
	CPUs   int
	Memory int64   // bytes
	Weight float64 // set by the operator, counts alone where any machine has one; 0: none
}

// Weights returns what machines can carry, relative to each other: by the scarcer of processors and
// memory, measured by the average of the machines that report it. A machine that reports nothing of
// one counts as average.
func Weights(machines []Capacity) []float64 {
	cpus, memory, weight := 0.0, 0.0, 0.0
	nc, nm, nw := 0, 0, 0
	for _, m := range machines {
		if m.CPUs > 0 {
			cpus, nc = cpus+float64(m.CPUs), nc+1
		}
		if m.Memory > 0 {
			memory, nm = memory+float64(m.Memory), nm+1
		}
		if m.Weight > 0 {
			weight, nw = weight+m.Weight, nw+1
		}
	}
	against := func(value, sum float64, n int) float64 {
		if value <= 0 || n == 0 {
			return 1
		}
		return value * float64(n) / sum
	}
	all := make([]float64, len(machines))
	for i, m := range machines {
		all[i] = min(against(float64(m.CPUs), cpus, nc), against(float64(m.Memory), memory, nm))
		if nw > 0 {
			all[i] = against(m.Weight, weight, nw)
		}
	}
	return all
}

// Takers returns how many idle machines take free shards: about as many as the serving ones would
// need for them, at least one. Where that is more than there are, the serving machines help. Where
// no machine serves (a cold start), it is all but the spares; one at least.
func Takers(idle, spares, free, serving, served int) int {
	switch {
	case idle == 0 || free == 0:
		return 0
	case serving == 0:
		return max(1, idle-spares)
	}
	each := max(1, (served+serving-1)/serving)
	return max(1, (free+each/2)/each)
}

// Chunks cuts a range into pieces of at most most shards, each of whole clusters of per (aligned as
// Cut does it).
func Chunks(r messages.ShardRange, per, most int) []messages.ShardRange {
	var all []messages.ShardRange
	for _, c := range Cut(r, per) {
		if last := len(all) - 1; last >= 0 && c.Shards.Last-all[last].First < most {
			all[last].Last = c.Shards.Last
		} else {
			all = append(all, c.Shards)
		}
	}
	return all
}
