package scenarios

import (
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/mockmaster"
	"github.com/discluster/control/transport/discord/rules"
)

// startStory: one machine starts 32 shards at max_concurrency 16, in the time that Discord's limit allows.
func startStory(f *fleet) {
	f.withDiscord(rules.Config{ShardCount: 32, MaxConcurrency: 16})
	f.withMaster(mockmaster.Options{Initialise: initialise(32, 16), TakesInfo: true, AcksBeats: true})
	f.add("m1", f.good(nil))
	f.must("the link", 5*time.Second, func() bool { return f.master.Link("m1") != nil })
	began := f.loop.Now()
	f.master.Send("m1", messages.Connect{Range: &messages.ShardRange{First: 0, Last: 31}, ID: "c1"})
	f.must("every shard READY", time.Minute, f.owned(32))
	f.must("operational", time.Second, func() bool {
		for _, p := range f.master.Heard("m1") {
			if ack, ok := p.(messages.Ack); ok && ack.ID == "c1" && ack.State == string(messages.RangeOperational) {
				return true
			}
		}
		return false
	})
	if took := f.loop.Now() - began; took > 6*time.Second {
		f.t.Errorf("32 shards at 16 took %v", took)
	}
	f.pass(2 * time.Minute)
	if got := f.discord.Rules.Counts().Identifies; got != 32 {
		f.t.Errorf("identifies %d, want 32", got)
	}
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
