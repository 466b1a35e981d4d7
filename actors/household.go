package actors

import (
	"fmt"
	"slices"
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
		{"router", newRouter(m.W, m.house, m.options), false, "the requests it holds are owed to bots that wait for their answers"},
		{"clusters", newClusters(m.W, m.house, m.options), false, "a restart would let go of every process"},
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

// retell says to one that panicked what it may have lost: the fleet's settings, and the orders under way. To have heard it before changes nothing.
func (m *MasterLink) retell(ctx actor.Context, child *actor.PID) {
	switch {
	case m.detached:
	case child.Equal(m.house.Gate) && m.settings.ShardCount > 0:
		ctx.Send(child, m.settings)
		if m.State() == "standby" || m.State() == "serving" {
			ctx.Send(child, messages.LinkUp{})
		} else {
			ctx.Send(child, messages.LinkDown{})
		}
	case child.Equal(m.house.Sessions):
		ctx.Send(child, messages.ReportSessions{On: m.link != nil && m.announced(messages.FeatureSessions)})
		for _, o := range m.orders.offloads {
			if !slices.ContainsFunc(m.standing.Ranges, func(r messages.RangeInfo) bool { return r.Range.Overlaps(o.Range) }) {
				ctx.Send(child, messages.HandSessionsOver{ID: o.ID, Range: o.Range})
			}
		}
	case child.Equal(m.house.Clusters) && (m.stopping || m.lease.stopping || len(m.orders.shutdowns) > 0):
		ctx.Send(child, messages.StopAll{Reason: "ordered before"})
	case child.Equal(m.house.Clusters) && m.recalled:
		back := messages.TakeBack{Settings: m.settings, Ranges: m.memory.served()}
		if m.doubtful {
			back.Settings.Token = ""
		}
		ctx.Send(child, back)
		ctx.Send(child, m.leaseNow())
		for _, o := range m.orders.offloads {
			ctx.Send(child, messages.Release{ID: o.ID, Range: o.Range, Within: o.WithinMS.Duration()})
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

func (m *MasterLink) mend(ctx actor.Context, child *actor.PID) {
	delete(m.mending, child.Id)
	ctx.Send(child, world.Recovered{})
	m.retell(ctx, child)
}
