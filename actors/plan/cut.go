package plan

import "github.com/discluster/control/messages"

// Cluster is one planned cluster: its fleet-wide id and its shards.
type Cluster struct {
	ID     messages.ClusterID
	Shards messages.ShardRange
}

// defaultShardsPerCluster applies where max_concurrency suggests no size (DESIGN §4.2).
const defaultShardsPerCluster = 10

// ShardsPerCluster returns the default size of a cluster: max_concurrency when that is more than 1,
// because then all shards of a cluster lie in different buckets and connect together.
func ShardsPerCluster(maxConcurrency int) int {
	if maxConcurrency > 1 {
		return maxConcurrency
	}
	return defaultShardsPerCluster
}

// Cut divides r into clusters of per shards (≥ 1) aligned to multiples of per, so that a cluster's
// id is its first shard / per. The first and the last may be shorter.
func Cut(r messages.ShardRange, per int) []Cluster {
	var cut []Cluster
	for first := r.First; first <= r.Last; {
		id := first / per
		last := min((id+1)*per-1, r.Last)
		cut = append(cut, Cluster{ID: messages.ClusterID(id), Shards: messages.ShardRange{First: first, Last: last}})
		first = last + 1
	}
	return cut
}
