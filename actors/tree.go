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
	restart bool   // after a panic: a new actor; else it goes on with its next message
	why     string // of that choice
}

// tree returns the actors below MasterLink.
func (m *MasterLink) tree() []member {
	rows := []member{
		{events.BusName, events.NewBus(m.W, m.addresses), false, "its subscribers would have to know of its restart"},
		{"gate", gate.New(m.W, m.addresses, m.options.Identify), false, "the wishes it holds are owed to bots that will not ask twice"},
		{"sessions", sessions.New(m.W, m.addresses), false, "what it knows and the disk does not is worth an identify a shard"},
		{"router", router.New(m.W, m.addresses, m.options.Router, m.options.PID), false, "the requests it holds are owed to bots that wait for their answers"},
		{"clusters", cluster.NewSupervisor(m.W, m.addresses, m.options.Cluster, m.options.PID), false, "a restart would let go of every process"},
	}
	rows = append(rows, member{"commander", newCommander(m.W, m.addresses), false, "an order under way is to be answered"})
	for _, b := range m.options.Behaviours {
		props := m.W.Spawn(b.Name, func() actor.Actor { return b.Actor(m.W, m.addresses) })
		rows = append(rows, member{b.Name, props, b.Restart, "the operator's choice"})
	}
	return rows
}

func (m *MasterLink) spawnTree(ctx actor.Context) {
	m.members = m.tree()
	for _, row := range m.members {
		if _, err := ctx.SpawnNamed(row.props, row.name); err != nil {
			panic(fmt.Sprintf("spawn %s: %v (two behaviours of one name?)", row.name, err))
		}
	}
}

var _ actor.SupervisorStrategy = (*MasterLink)(nil)

// HandleFailure supervises the tree: an actor that panicked goes on as its row of the table says.
func (m *MasterLink) HandleFailure(sys *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, rs *actor.RestartStatistics, reason, message any) {
	ctx := supervisor.(actor.Context)
	err := world.AsError(reason)
	ctx.Send(m.addresses.Events, messages.ControlBroken{Actor: child.Id, Err: err.Error()})
	if !m.recovering[child.Id] { // once a second at most: what it is sent then may make it panic again
		if m.recovering == nil {
			m.recovering = map[string]bool{}
		}
		m.recovering[child.Id] = true
		m.After(ctx, recoverEvery, recoverDue{child})
	}
	for _, row := range m.members {
		if row.restart && child.Id == ctx.Self().Id+"/"+row.name && !m.stopping {
			m.Log.Error().Str("child", child.Id).Err(err).Msg("behaviour panicked; it starts again")
			supervisor.RestartChildren(child)
			return
		}
	}
	world.LogPanic(m.Log, child.Id, err)
	supervisor.ResumeChildren(child)
}

// recoverEvery is how soon, and how often, an actor that panicked is sent what it may have lost.
const recoverEvery = time.Second

// recoverDue is the time for that.
type recoverDue struct{ child *actor.PID }

// IgnoreDeadLetterLogging: it may arrive after CONTROL has stopped.
func (recoverDue) IgnoreDeadLetterLogging() {}
