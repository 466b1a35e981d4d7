//go:build linux

package bench

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// rival is one of the candidates that are measured in turns.
type rival struct {
	name string
	*stage
	run func(s *stage) figures

	took, p50, p99 []time.Duration
	cpu            time.Duration
}

// turns measures the rivals in turns and reports each beside the first, the floor: medians over the
// turns.
func turns(b *testing.B, n int, rivals ...*rival) {
	for _, r := range rivals {
		r.run(r.stage) // warm
	}
	for b.Loop() {
		for _, r := range rivals {
			before := r.stage.cpu()
			f := r.run(r.stage)
			r.cpu += r.stage.cpu() - before
			r.took, r.p50, r.p99 = append(r.took, f.Took), append(r.p50, f.P50), append(r.p99, f.P99)
		}
	}
	floor := rivals[0]
	for _, r := range rivals {
		µs := float64(median(r.took).Nanoseconds()) / 1000 / float64(n)
		b.ReportMetric(µs, r.name+"-µs/op")
		if p50 := median(r.p50); p50 > 0 {
			b.ReportMetric(float64(p50.Nanoseconds())/1000, r.name+"-p50-µs")
			b.ReportMetric(float64(median(r.p99).Nanoseconds())/1000, r.name+"-p99-µs")
		}
		b.ReportMetric(float64(r.cpu.Nanoseconds())/1000/float64(n)/float64(len(r.took)), r.name+"-middle-cpu-µs/op")
		if r != floor {
			b.ReportMetric(float64(median(r.took))/float64(median(floor.took)), r.name+"/"+floor.name)
		}
	}
	b.ReportMetric(0, "ns/op")
}

func median(all []time.Duration) time.Duration {
	all = slices.Clone(all)
	slices.Sort(all)
	return all[len(all)/2]
}

// asking returns a run of n requests of one cluster to others.
func asking(asker, n int, targets ...int) func(*stage) figures {
	return func(s *stage) figures { return s.do(asker, order{Do: "ask", N: n, Targets: targets}) }
}

// BenchmarkRequests measures requests of one cluster: to CONTROL, which answers by itself; to
// another cluster; and to eight. The floor of the third is the obvious implementation, beside it
// are the managers of node bots.
func BenchmarkRequests(b *testing.B) {
	raw, sdk := onControl(b, "bare", clusters), onControl(b, "sdk", clusters)
	b.Run("to-control", func(b *testing.B) {
		const n = 2000
		turns(b, n, &rival{name: "floor", stage: onFloor(b, "answer", 1), run: asking(0, n)},
			&rival{name: "router", stage: raw, run: asking(8, n)}, &rival{name: "sdk", stage: sdk, run: asking(8, n)})
	})
	b.Run("to-another", func(b *testing.B) {
		const n = 1000
		turns(b, n, &rival{name: "floor", stage: onFloor(b, "relay", 2), run: asking(0, n, 1)},
			&rival{name: "router", stage: raw, run: asking(8, n, 1)}, &rival{name: "sdk", stage: sdk, run: asking(8, n, 1)})
	})
	b.Run("to-eight", func(b *testing.B) {
		const n = 300
		eight := []int{0, 1, 2, 3, 4, 5, 6, 7}
		rivals := []*rival{{name: "naive", stage: onFloor(b, "naive", clusters), run: asking(8, n, eight...)},
			{name: "router", stage: raw, run: asking(8, n, eight...)}, {name: "sdk", stage: sdk, run: asking(8, n, eight...)}}
		for _, name := range []string{"discordjs", "hybrid"} {
			if s := onManager(b, name); s != nil {
				rivals = append(rivals, &rival{name: name, stage: s, run: asking(0, n)})
			}
		}
		turns(b, n, rivals...)
	})
}

// BenchmarkGuests measures a call of a node bot to all eight: under its own manager, and with
// CONTROL in its place.
func BenchmarkGuests(b *testing.B) {
	for _, name := range []string{"discordjs", "hybrid"} {
		b.Run(name, func(b *testing.B) {
			const n = 300
			own, ours := onManager(b, name), onGuest(b, name)
			if own == nil || ours == nil {
				return
			}
			turns(b, n, &rival{name: "manager", stage: own, run: asking(0, n)}, &rival{name: "control", stage: ours, run: asking(0, n)})
		})
	}
}

// BenchmarkOneWay measures messages from one cluster to another.
func BenchmarkOneWay(b *testing.B) {
	floor, raw, sdk := onFloor(b, "relay", 2), onControl(b, "bare", 2), onControl(b, "sdk", 2)
	for _, size := range []int{100, 4096} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			const n = 50_000
			way := func(s *stage) figures { return s.stream(n, size) }
			turns(b, n, &rival{name: "floor", stage: floor, run: way}, &rival{name: "router", stage: raw, run: way}, &rival{name: "sdk", stage: sdk, run: way})
		})
	}
}
