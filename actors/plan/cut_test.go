package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/discluster/control/messages"
)

func TestCut(t *testing.T) {
	for _, c := range []struct {
		name        string
		first, last int
		per         int
		want        string
	}{
		{"one shard", 0, 0, 10, "0:0"},
		{"whole clusters", 0, 19, 10, "0:0-9 1:10-19"},
		{"the last is short", 16, 39, 16, "1:16-31 2:32-39"},
		{"the last is one shard", 0, 10, 10, "0:0-9 1:10"},
		{"the first is short where it is not aligned", 5, 24, 10, "0:5-9 1:10-19 2:20-24"},
		{"within one cluster", 12, 14, 10, "1:12-14"},
		{"clusters of one", 3, 5, 1, "3:3 4:4 5:5"},
		{"far from zero", 9990, 9999, 16, "624:9990-9999"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, cl := range Cut(messages.ShardRange{First: c.first, Last: c.last}, c.per) {
				got = append(got, cl.ID.String()+":"+cl.Shards.String())
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("Cut: %s, want %s", s, c.want)
			}
		})
	}
}

func TestShardsPerCluster(t *testing.T) {
	for maxConcurrency, want := range map[int]int{0: 10, 1: 10, 2: 2, 16: 16} {
		if got := ShardsPerCluster(maxConcurrency); got != want {
			t.Errorf("ShardsPerCluster(%d) = %d, want %d", maxConcurrency, got, want)
		}
	}
}

// However a range is cut: every shard is in one cluster, and a complete cluster is the same as in
// the whole fleet.
func FuzzCut(f *testing.F) {
	f.Add(uint16(0), uint16(32), uint8(16))
	f.Add(uint16(5), uint16(1), uint8(1))
	f.Fuzz(func(t *testing.T, first, length uint16, perRaw uint8) {
		per := int(perRaw) + 1
		r := messages.ShardRange{First: int(first), Last: int(first) + int(length)%5000}
		next := r.First
		for _, c := range Cut(r, per) {
			if c.Shards.First != next || c.Shards.Last < next || c.Shards.Last > r.Last {
				t.Fatalf("cluster %s has %s, want it to begin at %d and end by %d", c.ID, c.Shards, next, r.Last)
			}
			for _, edge := range []int{c.Shards.First, c.Shards.Last} {
				if edge/per != int(c.ID) {
					t.Fatalf("shard %d is in cluster %s, want %d", edge, c.ID, edge/per)
				}
			}
			next = c.Shards.Last + 1
		}
		if next != r.Last+1 {
			t.Fatalf("cut up to %d, want %d", next-1, r.Last)
		}
	})
}

func ExampleCut() {
	for _, c := range Cut(messages.ShardRange{First: 0, Last: 24}, 10) {
		fmt.Println(c.ID, c.Shards)
	}
	// Output:
	// 0 0-9
	// 1 10-19
	// 2 20-24
}
