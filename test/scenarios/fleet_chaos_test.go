package scenarios

import (
	"fmt"
	"testing"
	"time"

	"github.com/discluster/control/actors/master"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
)

// The scene of the fleet's chaos: a spare, and three machines with three clusters each.
const (
	chaosMachines    = 4
	chaosFleetShards = 36
)

// fleetChaos holds the faults of one run: machines, MASTER, links, bots.
type fleetChaos struct {
	*fleet
	own    *ownMaster
	up     bool // MASTER runs
	fences bool
}

func (c *fleetChaos) any() *machine {
	return c.machines[fmt.Sprintf("m%d", 1+c.loop.Rand.IntN(chaosMachines))]
}

// fleetFaults lists everything that may go wrong, alone and together.
var fleetFaults = []func(*fleetChaos){
	func(c *fleetChaos) { c.kill(c.any()) },
	func(c *fleetChaos) { c.kill(c.any()) },
	func(c *fleetChaos) { // a bot on every machine
		for _, m := range c.inOrder() {
			c.kill(m)
		}
	},
	// no longer than the bots of a dead CONTROL have to end themselves before the grace does: nothing
	// else can end them
	func(c *fleetChaos) {
		c.any().Starve(time.Duration(c.loop.Rand.IntN(4000)) * time.Millisecond)
	},
	func(c *fleetChaos) { // a machine can start nothing, or can again
		m := c.any()
		if m.StartErr != nil {
			m.StartErr = nil
		} else {
			m.StartErr = troubles[c.loop.Rand.IntN(len(troubles))]
		}
	},
	func(c *fleetChaos) { c.net.Cut(c.any().Name, "master") },
	func(c *fleetChaos) { c.net.Heal(c.any().Name, "master") },
	func(c *fleetChaos) { c.net.Heal(c.any().Name, "master") },
	func(c *fleetChaos) { c.net.Drop(c.any().Name, "master") },
	func(c *fleetChaos) { c.net.Cut(c.any().Name, sim.DiscordPlace) },
	func(c *fleetChaos) { c.net.Heal(c.any().Name, sim.DiscordPlace) },
	func(c *fleetChaos) { c.net.Heal(c.any().Name, sim.DiscordPlace) },
	func(c *fleetChaos) { c.net.Cut("master", sim.DiscordPlace) },
	func(c *fleetChaos) { c.net.Heal("master", sim.DiscordPlace) },
	func(c *fleetChaos) { // CONTROL dies, or comes back
		if m := c.any(); m.gone {
			c.boot(m, sesame, mortal)
		} else {
			c.crash(m)
			m.gone = true
		}
	},
	func(c *fleetChaos) { // a machine loses its power, or comes back
		if m := c.any(); m.gone {
			c.boot(m, sesame, mortal)
		} else {
			c.powerOff(m)
		}
	},
	func(c *fleetChaos) { // MASTER dies, or comes back
		if c.up = !c.up; c.up {
			c.own.start()
		} else {
			c.own.Crash()
		}
	},
	func(c *fleetChaos) { // MASTER is restarted at once
		if c.up {
			c.own.Crash()
			c.own.start()
		}
	},
	func(c *fleetChaos) {
		if c.up {
			c.own.Freeze(time.Duration(c.loop.Rand.IntN(60000)) * time.Millisecond)
		}
	},
	func(c *fleetChaos) { // a CONTROL sleeps
		if m := c.any(); !m.gone {
			m.Freeze(time.Duration(c.loop.Rand.IntN(60000)) * time.Millisecond)
		}
	},
	func(c *fleetChaos) { // an operator drains a machine, or takes that back
		if !c.up {
			return
		}
		if c.loop.Rand.IntN(2) == 0 {
			c.own.order("", messages.DrainMachine{Source: c.any().Name})
		} else {
			c.own.order("", messages.UndrainMachine{Source: c.any().Name})
		}
	},
	func(c *fleetChaos) { // an operator calls a machine dead, which it is: another one gets its name
		if m := c.any(); c.up && m.gone && len(m.Processes()) == 0 {
			c.own.order("", messages.ForgetMachine{Source: m.Name})
			m.Format()
		}
	},
	func(c *fleetChaos) { c.blind(c.any()) },
	func(c *fleetChaos) { c.see(c.any()) },
	func(c *fleetChaos) { c.see(c.any()) },
	func(c *fleetChaos) { c.title(c.any()) },
	func(c *fleetChaos) { c.helper(c.any()) },
	// not MASTER's: by its clock the slots are counted, and one that is set between two runs of it
	// moves them
	func(c *fleetChaos) { c.setClock(c.any().Host) },
	func(c *fleetChaos) { c.discord.Step(rules.Fault{Kind: rules.FaultReconnect, Shard: rules.All}) },
	func(c *fleetChaos) {
		c.discord.Step(rules.Fault{Kind: rules.FaultInvalidate, Shard: c.loop.Rand.IntN(chaosFleetShards)})
	},
	func(c *fleetChaos) { c.gateway.spike(c.loop.Rand.IntN(chaosFleetShards)) },
}

func (c *fleetChaos) kill(m *machine) {
	if all := m.Processes(); len(all) > 0 {
		c.fleet.kill(m, all[c.loop.Rand.IntN(len(all))])
	}
}

// calm brings every machine back.
func (c *fleetChaos) calm() {
	c.net.Heal("master", sim.DiscordPlace)
	for _, m := range c.inOrder() {
		c.see(m)
		c.net.Heal(m.Name, "master")
		c.net.Heal(m.Name, sim.DiscordPlace)
		m.StartErr = nil
		if m.gone {
			c.boot(m, sesame, mortal)
		}
	}
	if !c.up {
		c.own.start()
	}
	c.pass(time.Minute) // a frozen one wakes
	for _, m := range c.inOrder() {
		c.own.order("", messages.UndrainMachine{Source: m.Name})
	}
}

// For five minutes machines, MASTER and links fail. No identify comes too early, whatever is cut
// off from whatever; with a lease no shard ever has two owners. When it stops every shard is READY,
// in one process.
func TestFleetChaos(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		c := &fleetChaos{fleet: f, up: true, fences: f.loop.Rand.IntN(2) == 0}
		change := []func(*master.Options){spares(1)}
		if c.fences {
			change = append(change, leased)
		}
		c.own = f.fleetOfBots(f.anyKind(), f.scarce(rules.Config{ShardCount: chaosFleetShards, MaxConcurrency: 4}), chaosMachines, change...)
		f.doubles = !c.fences
		f.settled()
		silence := f.gateway.stream(chaosFleetShards, false)
		f.forgets = f.forgets && !c.fences
		for end := f.loop.Now() + 5*time.Minute; f.loop.Now() < end; {
			f.pass(time.Duration(f.loop.Rand.IntN(12000)) * time.Millisecond)
			fleetFaults[f.loop.Rand.IntN(len(fleetFaults))](c)
			f.gateway.judges()
		}
		c.calm()
		silence()
		whole := func() bool {
			return f.owned(chaosFleetShards)() && f.everywhere() == chaosFleetShards/4 && c.linked() == chaosMachines
		}
		f.mustOnceAffordable("every shard READY once it stops", 15*time.Minute, f.spent, f.recover, whole)
		f.pass(time.Minute) // MASTER may place elsewhere what a machine serves that has not reported so
		f.mustOnceAffordable("every shard READY", time.Minute, f.spent, f.recover, whole)
		f.doubles = false
		f.pass(2 * time.Minute)
		f.gateway.completes()
		want(f, "owned", f.owned(chaosFleetShards)(), true)
		want(f, "processes", f.everywhere(), chaosFleetShards/4)
		want(f, "machines linked", c.linked(), chaosMachines)
		want(f, "identify.unaccounted", c.own.saw("identify.unaccounted"), 0)
	})
}

// linked counts the machines with a link to MASTER.
func (c *fleetChaos) linked() (n int) {
	for _, m := range c.inOrder() {
		n += c.net.Links(m.Name, "master")
	}
	return n
}
