package scenarios

import (
	"testing"
	"time"
)

// startStory: one machine starts 32 shards at max_concurrency 16, in the time that Discord's limit
// allows.
func startStory(f *fleet) {
	m := f.alone(32, 16, ours(initialise(32, 16)), nil)
	began := f.loop.Now()
	f.connect(m, "c1", 0, 31)
	f.must("every shard READY", time.Minute, f.owned(32))
	f.must("operational", time.Second, f.acked(m, "c1", "operational"))
	if took := f.loop.Now() - began; took > 6*time.Second {
		f.t.Errorf("32 shards at 16 took %v", took)
	}
	f.pass(2 * time.Minute)
	want(f, "identifies", f.identifies(), 32)
}

func TestStart(t *testing.T) { seeds(t, startStory) }

// One seed has one trace: whatever else the machine does.
func TestOneTraceASeed(t *testing.T) {
	for seed := range uint64(5) {
		first, again := run(t, seed, startStory), run(t, seed, startStory)
		if first != again {
			t.Errorf("seed %d: traces %x and %x", seed, first, again)
		}
	}
}
