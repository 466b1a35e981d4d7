package actors

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/cluster"
	"github.com/discluster/control/actors/events"
	"github.com/discluster/control/actors/gate"
	"github.com/discluster/control/actors/router"
	"github.com/discluster/control/actors/sessions"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// member is one row of the table that is CONTROL's architecture.
type member struct {
	name    string
	props   *actor.Props
	restart bool // a panic restarts the actor; else it goes on with its next message
}

// tree returns the actors below MasterLink, each with the reason why a panic does not restart it.
func (m *MasterLink) tree() []member {
	rows := []member{
		{events.BusName, events.NewBus(m.W, m.addresses), false},                                       // its subscribers would have to know of its restart
		{"gate", gate.New(m.W, m.addresses, m.options.Identify), false},                                // the requests it holds come from bots that do not repeat them
		{"sessions", sessions.New(m.W, m.addresses), false},                                            // sessions that are not on disk would cost an identify a shard
		{"router", router.New(m.W, m.addresses, m.options.Router, m.options.PID), false},               // the requests it holds come from bots that wait for answers
		{"clusters", cluster.NewSupervisor(m.W, m.addresses, m.options.Cluster, m.options.PID), false}, // a restart would detach from every process
		{"commander", newCommander(m.W, m.addresses), false},                                           // a command under way needs its answer
	}
	for _, b := range m.options.Behaviours {
		props := m.W.Spawn(b.Name, func() actor.Actor { return b.Actor(m.W, m.addresses) })
		rows = append(rows, member{b.Name, props, b.Restart})
	}
	return rows
}

func (m *MasterLink) spawnTree(ctx actor.Context) {
	m.members = m.tree()
	m.starting = len(m.members)
	for _, row := range m.members {
		child, err := ctx.SpawnNamed(row.props, row.name)
		if err != nil {
			panic(fmt.Sprintf("spawn %s: %v (two behaviours of one name?)", row.name, err))
		}
		ctx.Request(child, &actor.Touch{})
	}
}

var _ actor.SupervisorStrategy = (*MasterLink)(nil)

// HandleFailure supervises the tree: an actor that panicked goes on or restarts, as its row sets.
func (m *MasterLink) HandleFailure(sys *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, rs *actor.RestartStatistics, reason, message any) {
	ctx := supervisor.(actor.Context)
	err := world.AsError(reason)
	ctx.Send(m.addresses.Events, messages.ControlBroken{Actor: child.Id, Err: err.Error()})
	if !m.recovering[child.Id] { // at most once a second: Recovered may make it panic again
		m.recovering[child.Id] = true
		m.After(ctx, recoverEvery, recoverDue{child: child})
	}
	for _, row := range m.members {
		if row.restart && child.Id == ctx.Self().Id+"/"+row.name && !m.stopping {
			m.Log.Error().Str("child", child.Id).Err(err).Msg("behaviour panicked; restarting it")
			supervisor.RestartChildren(child)
			return
		}
	}
	world.LogPanic(m.Log, child.Id, err)
	supervisor.ResumeChildren(child)
}

// recoverEvery is the delay from a panic to world.Recovered, and the least time between two of
// them.
const recoverEvery = time.Second

// recoverDue is the timer of that.
type recoverDue struct {
	messages.MayBeLost
	child *actor.PID
}
