package actors

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

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

// household is everybody below MasterLink.
func (m *MasterLink) household() []member {
	rows := []member{
		{HeraldName, newHerald(m.W, m.house), false, "its subscribers would have to know of its restart"},
		{"gate", newGate(m.W, m.house, m.options.Identify), false, "the wishes it holds are owed to bots that will not ask twice"},
		{"sessions", newSessions(m.W, m.house), false, "what it knows and the disk does not is worth an identify a shard"},
		{"router", newRouter(m.W, m.house, m.options.Router, m.options.PID), false, "the requests it holds are owed to bots that wait for their answers"},
		{"clusters", newClusters(m.W, m.house, m.options.Cluster, m.options.PID), false, "a restart would let go of every process"},
	}
	rows = append(rows, member{"commander", newCommander(m.W, m.house), false, "an order under way is to be answered"})
	for _, b := range m.options.Behaviours {
		props := m.W.Spawn(b.Name, func() actor.Actor { return b.Actor(m.W, m.house) })
		rows = append(rows, member{b.Name, props, b.Restart, "the operator's choice"})
	}
	return rows
}

func (m *MasterLink) spawnHouse(ctx actor.Context) {
	m.members = m.household()
	for _, row := range m.members {
		if _, err := ctx.SpawnNamed(row.props, row.name); err != nil {
			panic(fmt.Sprintf("spawn %s: %v (two behaviours of one name?)", row.name, err))
		}
	}
}

var _ actor.SupervisorStrategy = (*MasterLink)(nil)

// HandleFailure is the supervision of the household: what panicked goes on as its row of the table says.
func (m *MasterLink) HandleFailure(sys *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, rs *actor.RestartStatistics, reason, message any) {
	ctx := supervisor.(actor.Context)
	err := world.AsError(reason)
	ctx.Send(m.house.Herald, messages.ControlBroken{Actor: child.Id, Err: err.Error()})
	if !m.mending[child.Id] { // once a second at most: what it is told then may make it panic again
		if m.mending == nil {
			m.mending = map[string]bool{}
		}
		m.mending[child.Id] = true
		m.After(ctx, mendEvery, mend{child})
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

// mendEvery is how soon, and how often, one that panicked is told what it may have lost.
const mendEvery = time.Second

// mend is the time for that.
type mend struct{ child *actor.PID }

// IgnoreDeadLetterLogging: it may come after CONTROL has stopped.
func (mend) IgnoreDeadLetterLogging() {}
