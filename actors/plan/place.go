package plan

import (
	"slices"

	"github.com/discluster/control/messages"
)

// Unserved is what of shards 0..count-1 lies in none of the served ranges, in order.
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

// Place divides the free ranges over machines evenly in whole clusters of per shards, each machine's share as contiguous as they allow. Machine i gets share i, which is
// empty where there are more machines than clusters: a spare.
func Place(free []messages.ShardRange, per, machines int) [][]messages.ShardRange {
	var cells []messages.ShardRange
	for _, r := range free {
		for _, c := range Cut(r, per) {
			cells = append(cells, c.Shards)
		}
	}
	shares := make([][]messages.ShardRange, machines)
	for i := range shares {
		for _, cell := range cells[i*len(cells)/machines : (i+1)*len(cells)/machines] {
			share := shares[i]
			if last := len(share) - 1; last >= 0 && share[last].Last+1 == cell.First {
				share[last].Last = cell.Last
			} else {
				shares[i] = append(share, cell)
			}
		}
	}
	return shares
}
