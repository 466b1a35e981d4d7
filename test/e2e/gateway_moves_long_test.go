//go:build e2e

package e2e

import (
	"fmt"
	"testing"
)

// The machine that runs an unmodified bot is drained, three times. The host of the next machine
// resumes the sessions with the guilds that the last one kept: no shard identifies, and the bots
// get every message.
func TestGatewayMoves(t *testing.T) {
	t.Parallel()
	for name, command := range unmodified {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := command(t)
			program := programOf(t, command[0])
			const shards = 4
			m := startMachines(t, "127.0.0.1", shards, settings{"fleet.expect": "2", "cluster.shards_per_cluster": "4"}, "--guilds", "400", "--events", "20")
			fleet, on := &bots{process: m.master, d: m.discord, state: m.state}, map[string]*bots{}
			for _, source := range []string{"m1", "m2"} {
				state := folder(t)
				p := m.addBot(settings{"machine.source": source, "state.dir": state}, nil, command...)
				on[source] = &bots{process: p, d: m.discord, state: state}
			}
			m.owned(shards)
			from, to := "m1", "m2"
			if on[to].behind(program) != 0 {
				from, to = to, from
			}
			next := map[string]func(string) int{from: on[from].following(program), to: on[to].following(program)}
			for round := range 3 {
				next[from](fmt.Sprintf("the bot reads messages in round %d", round))
				fleet.does("state=done", "drain", "--machine", from, "--yes")
				m.owned(shards)
				on[to].logged("snapshot copied from the machine that had the shard", shards*(round/2+1))
				fleet.does("state=done", "undrain", "--machine", from)
				from, to = to, from
			}
			next[from]("the last bot reads messages")
			if s := m.discord.stats(); s.Identifies != shards || s.Violations > 0 || s.Resumes != 3*shards {
				t.Errorf("%d identifies and %d resumes of %d shards in 3 moves, %d violations", s.Identifies, s.Resumes, shards, s.Violations)
			}
			for _, b := range on {
				b.stop()
			}
			all := &bots{process: m.master, d: m.discord, others: []string{on["m1"].state, on["m2"].state}}
			if name == "discord.js" {
				all.early = 100
			}
			all.missedNone()
		})
	}
}
