package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
)

// A host and its bot are processes of their own. Each dies and hangs, alone and together, and so
// does CONTROL: no event is lost, none comes twice without need, and no shard identifies again.
func TestGatewayHost(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		const shards, clusters = 8, 2
		f.succeeds = true
		program := f.withGateways()
		g := f.gateway
		f.withDiscord(rules.Config{ShardCount: shards, MaxConcurrency: shards / clusters})
		f.withMaster(ours(initialise(shards, shards/clusters)))
		m := f.add("m1", program)
		f.must("the link", time.Minute, f.sawN("master.linked", 1))
		f.serve(m, "c", 0, shards-1)
		stop := g.stream(shards, true)
		ready := func() bool {
			return f.owned(shards)() && len(m.Bots()) == clusters && len(m.Processes()) == 2*clusters
		}
		signal := func(sig syscall.Signal, bots ...bool) {
			for _, bot := range bots {
				f.oneOf(m, bot).Signal(sig)
			}
		}
		deeds := []func(){
			func() { signal(syscall.SIGKILL, true) },
			func() { signal(syscall.SIGKILL, false) },
			func() { signal(syscall.SIGKILL, true, false) },
			func() { signal(syscall.SIGSTOP, true) },
			func() { signal(syscall.SIGSTOP, false) },
			func() { // a bot hangs before it connects
				host := f.oneOf(m, false)
				bot := f.botOf(host)
				bot.Signal(syscall.SIGKILL)
				f.must("the next bot", 5*time.Second, func() bool { next := f.botOf(host); return next != nil && next != bot })
				bot = f.botOf(host)
				bot.Signal(syscall.SIGSTOP)
				f.must("its end", 4*time.Minute, func() bool { return !slices.Contains(m.Processes(), bot) })
			},
			func() { g.spike(f.loop.Rand.IntN(shards)) },
			func() { f.roll(m) },
			func() {
				f.crash(m)
				f.pass(time.Duration(f.loop.Rand.IntN(10000)) * time.Millisecond)
				f.boot(m)
			},
			func() {
				f.order(m, messages.DrainCluster{Cluster: 0})
				f.pass(20 * time.Second)
				f.restart(m, 0)
			},
		}
		f.loop.Rand.Shuffle(len(deeds), func(i, j int) { deeds[i], deeds[j] = deeds[j], deeds[i] })
		for _, deed := range deeds {
			f.must("READY", time.Minute, ready)
			f.pass(time.Duration(10+f.loop.Rand.IntN(20)) * time.Second)
			deed()
			f.pass(20 * time.Second)
			g.judges()
		}
		stop()
		f.must("READY at last", time.Minute, ready)
		g.completes()
		want(f, "identifies", f.identifies(), shards)
		want(f, "hosts that ended", g.diary.Ends() >= 6, true)
	})
}

// oneOf returns one of a machine's processes, a bot or a host.
func (f *fleet) oneOf(m *machine, bot bool) *sim.Proc {
	all := m.Bots()
	host := all[f.loop.Rand.IntN(len(all))]
	if !bot {
		return host
	}
	return cmp.Or(f.botOf(host), host)
}

// botOf returns the bot of a host; nil: none lives.
func (f *fleet) botOf(host *sim.Proc) *sim.Proc {
	for _, p := range host.Host.Processes() {
		if p.Parent() == host {
			return p
		}
	}
	return nil
}

// The shards of gateway hosts move to another machine and back. Their snapshots go with them: no
// event is lost, none comes twice, and no shard identifies again. What cannot be copied identifies.
func TestGatewayMoves(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		const shards = 16
		f.succeeds = true
		program := f.withGateways()
		g := f.gateway
		own := f.fleetOfBots(program, rules.Config{ShardCount: shards, MaxConcurrency: 4}, 3)
		stop := g.stream(shards, true)
		ready := func() bool { return f.owned(shards)() }
		for round := range 4 {
			f.pass(time.Duration(10+f.loop.Rand.IntN(20)) * time.Second)
			m := f.one()
			drained := own.order(fmt.Sprint("drain", round), messages.DrainMachine{Source: m.Name})
			f.must("nothing is left there", time.Minute, func() bool { return drained.verdict != nil && len(m.Processes()) == 0 && ready() })
			f.pass(10 * time.Second)
			g.judges()
			own.order(fmt.Sprint("undrain", round), messages.UndrainMachine{Source: m.Name})
		}
		want(f, "identifies", f.identifies(), shards)
		g.forgets = true
		f.powerOff(f.one())
		f.must("READY elsewhere", own.options.Grace+2*time.Minute, ready)
		stop()
		g.completes()
	})
}
