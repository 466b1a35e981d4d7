package plan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/discluster/control/messages"
)

func TestUnserved(t *testing.T) {
	r := func(first, last int) messages.ShardRange { return messages.ShardRange{First: first, Last: last} }
	for _, c := range []struct {
		name   string
		count  int
		served []messages.ShardRange
		want   string
	}{
		{"nothing is served", 10, nil, "[0-9]"},
		{"everything is", 10, []messages.ShardRange{r(0, 9)}, "[]"},
		{"a hole in the middle", 30, []messages.ShardRange{r(20, 29), r(0, 9)}, "[10-19]"},
		{"both ends", 30, []messages.ShardRange{r(10, 19)}, "[0-9 20-29]"},
		{"served twice, and beyond the count", 20, []messages.ShardRange{r(5, 12), r(5, 7), r(15, 40)}, "[0-4 13-14]"},
	} {
		if got := fmt.Sprint(Unserved(c.count, c.served)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestWithout(t *testing.T) {
	r := func(first, last int) messages.ShardRange { return messages.ShardRange{First: first, Last: last} }
	for _, c := range []struct {
		name   string
		ranges []messages.ShardRange
		out    messages.ShardRange
		want   string
	}{
		{"the middle", []messages.ShardRange{r(0, 29)}, r(10, 19), "[0-9 20-29]"},
		{"the whole", []messages.ShardRange{r(0, 29)}, r(0, 29), "[]"},
		{"an end", []messages.ShardRange{r(0, 29), r(40, 49)}, r(20, 45), "[0-19 46-49]"},
		{"nothing of it", []messages.ShardRange{r(0, 9)}, r(10, 19), "[0-9]"},
	} {
		if got := fmt.Sprint(Without(c.ranges, c.out)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestPlace(t *testing.T) {
	r := func(first, last int) messages.ShardRange { return messages.ShardRange{First: first, Last: last} }
	even := func(n int) []Taker { return slices.Repeat([]Taker{{Weight: 1}}, n) }
	for _, c := range []struct {
		name   string
		free   []messages.ShardRange
		per    int
		takers []Taker
		want   string
	}{
		{"evenly", []messages.ShardRange{r(0, 39)}, 10, even(2), "[[0-19] [20-39]]"},
		{"the last cluster is short", []messages.ShardRange{r(0, 24)}, 10, even(3), "[[0-9] [10-19] [20-24]]"},
		{"more machines than clusters", []messages.ShardRange{r(0, 9)}, 10, even(3), "[[0-9] [] []]"},
		{"one cluster more than machines", []messages.ShardRange{r(0, 39)}, 10, even(3), "[[0-19] [20-29] [30-39]]"},
		{"in pieces", []messages.ShardRange{r(0, 9), r(30, 49)}, 10, even(2), "[[0-9 30-39] [40-49]]"},
		{"one takes two pieces", []messages.ShardRange{r(0, 9), r(30, 49)}, 10, even(1), "[[0-9 30-49]]"},
		{"nothing is free", nil, 10, even(2), "[[] []]"},
		{"none takes it", []messages.ShardRange{r(0, 9)}, 10, nil, "[]"},
		{"by weight", []messages.ShardRange{r(0, 39)}, 10, []Taker{{Weight: 3}, {Weight: 1}}, "[[0-29] [30-39]]"},
		{"a machine that has less takes more", []messages.ShardRange{r(40, 59)}, 10, []Taker{{1, 30}, {1, 10}}, "[[] [40-59]]"},
		{"a machine that has too much takes none", []messages.ShardRange{r(40, 69)}, 10, []Taker{{1, 100}, {1, 0}, {1, 10}}, "[[] [40-59] [60-69]]"},
	} {
		if got := fmt.Sprint(Place(c.free, c.per, c.takers)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// Whatever is free and whichever machines take it: everything is assigned, once, in whole clusters,
// and no load by weight exceeds another's by more than one cluster makes.
func TestPlaceIsFair(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		per, count := 1+rnd.IntN(12), 1+rnd.IntN(2000)
		free := []messages.ShardRange{{First: 0, Last: count - 1}}
		takers := make([]Taker, 1+rnd.IntN(30))
		for i := range takers {
			takers[i] = Taker{Weight: 0.5 + rnd.Float64()}
		}
		var given []messages.ShardRange
		low, high := math.Inf(1), 0.0
		for i, share := range Place(free, per, takers) {
			n := 0
			for _, r := range share {
				if r.First%per != 0 {
					t.Fatalf("range %s is not aligned to clusters of %d", r, per)
				}
				n += per * len(Cut(r, per)) // the last one may be short
			}
			given = append(given, share...)
			low, high = min(low, float64(n+per)/takers[i].Weight), max(high, float64(n-per)/takers[i].Weight)
		}
		if left := Unserved(count, given); len(left) > 0 {
			t.Fatalf("%d shards, clusters of %d, %d machines: %v is left", count, per, len(takers), left)
		}
		if high > low+1e-9 {
			t.Errorf("%d shards, clusters of %d, %d machines: load %v beside %v", count, per, len(takers), high, low)
		}
	}
}

func TestWeights(t *testing.T) {
	for _, c := range []struct {
		name     string
		machines []Capacity
		want     string
	}{
		{"alike", []Capacity{{CPUs: 4, Memory: 8}, {CPUs: 4, Memory: 8}}, "[1 1]"},
		{"by processors", []Capacity{{CPUs: 6, Memory: 8}, {CPUs: 2, Memory: 8}}, "[1 0.5]"},
		{"by the scarcer one", []Capacity{{CPUs: 8, Memory: 4}, {CPUs: 8, Memory: 12}}, "[0.5 1]"},
		{"not known", []Capacity{{}, {CPUs: 2}}, "[1 1]"},
		{"set by the operator", []Capacity{{CPUs: 64, Weight: 1}, {CPUs: 2, Weight: 3}, {CPUs: 2}}, "[0.5 1.5 1]"},
	} {
		if got := fmt.Sprint(Weights(c.machines)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestTakers(t *testing.T) {
	for _, c := range []struct {
		name                                string
		idle, spares, free, serving, served int
		want                                int
	}{
		{"a cold start", 3, 0, 90, 0, 0, 3},
		{"with a spare", 3, 1, 90, 0, 0, 2},
		{"more spares than machines", 2, 5, 90, 0, 0, 1},
		{"one of three was lost", 2, 2, 30, 2, 60, 1},
		{"two of four were lost", 2, 2, 60, 2, 60, 2},
		{"more was lost than there are spares", 1, 1, 60, 2, 60, 2},
		{"a little more was lost than others have", 2, 2, 36, 2, 60, 1},
		{"none is idle", 0, 1, 30, 2, 60, 0},
		{"nothing is free", 2, 1, 0, 2, 60, 0},
	} {
		if got := Takers(c.idle, c.spares, c.free, c.serving, c.served); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestChunks(t *testing.T) {
	for _, c := range []struct {
		r         messages.ShardRange
		per, most int
		want      string
	}{
		{messages.ShardRange{First: 0, Last: 39}, 10, 100, "[0-39]"},
		{messages.ShardRange{First: 0, Last: 39}, 10, 25, "[0-19 20-39]"},
		{messages.ShardRange{First: 5, Last: 39}, 10, 20, "[5-19 20-39]"},
		{messages.ShardRange{First: 0, Last: 39}, 30, 20, "[0-29 30-39]"}, // a cluster is not divided
	} {
		if got := fmt.Sprint(Chunks(c.r, c.per, c.most)); got != c.want {
			t.Errorf("%s by %d: %s, want %s", c.r, c.most, got, c.want)
		}
	}
}

// BenchmarkPlace measures a cold start of a fleet, and the loss of one machine of it, at three
// sizes.
func BenchmarkPlace(b *testing.B) {
	for _, machines := range []int{10, 100, 1000} {
		shards := machines * 160
		b.Run(fmt.Sprintf("start/machines=%d", machines), func(b *testing.B) {
			takers := slices.Repeat([]Taker{{Weight: 1}}, machines)
			for b.Loop() {
				Place([]messages.ShardRange{{First: 0, Last: shards - 1}}, 16, takers)
			}
		})
		b.Run(fmt.Sprintf("loss/machines=%d", machines), func(b *testing.B) {
			takers := slices.Repeat([]Taker{{Weight: 1, Has: 160}}, machines-1)
			for b.Loop() {
				Place([]messages.ShardRange{{First: 0, Last: 159}}, 16, takers)
			}
		})
	}
}
