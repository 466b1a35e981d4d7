package e2e

import (
	"maps"
	"strconv"
	"testing"
)

// Discord revokes the token of a bot of 100 shards while it starts: at most max_concurrency more
// identifies are spent, every cluster stops, and nothing identifies again until its operator ends
// the halt.
func TestOneBadToken(t *testing.T) {
	t.Parallel()
	const shards, maxConcurrency = 100, 10
	d := startDiscord(t, shards, maxConcurrency)
	state := folder(t)
	all := d.settings()
	maps.Copy(all, settings{"state.dir": state, "cluster.shards_per_cluster": strconv.Itoa(maxConcurrency)})
	p := run(t, all, binary, "bot")
	eventually(t, "the first wave is READY", func() bool { return d.stats().Owned >= maxConcurrency })
	d.fault(`{"kind":"refuse_token"}`)
	d.fault(`{"kind":"close","shard":0,"code":4004}`)
	eventually(t, "the fleet is halted", func() bool { return len(p.lines("fleet.halted")) > 0 })
	eventually(t, "no shard is connected", func() bool { return d.stats().Connections == 0 })
	after := d.stats()
	const questions = 2 // MASTER's for the budget, which count as well
	if spent := after.InvalidTokens; spent > maxConcurrency+questions {
		t.Errorf("%d uses of a token that Discord had taken back, want at most %d identifies and %d questions", spent, maxConcurrency, questions)
	}
	if gave := len(p.lines("cluster.gave_up")); gave > 0 {
		t.Errorf("%d clusters gave up by restarts, want none: no restart cures a token", gave)
	}
	b := &bots{process: p, d: d, state: state}
	d.fault(`{"kind":"accept_token"}`)
	b.does("state=done", "resume-fleet")
	eventually(t, "more are READY than were before the halt", func() bool { return d.stats().Owned > 2*maxConcurrency })
	if code := p.line("fleet.halted")["close_code"]; code != float64(4004) {
		t.Errorf("fleet.halted has code %v, want 4004", code)
	}
}
