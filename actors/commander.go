package actors

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// Commander carries out an operator's commands that MASTER passed on (PROTOCOL B1, op 2): it
// forwards the command, watches its progress by events, and answers.
type Commander struct {
	world.States
	addresses world.Addresses
	tasks     []*task
}

// task is a command that is carried out.
type task struct {
	id     string
	watch  func(t *task, e messages.Event) (progress string, done bool, err error)
	ready  int
	cancel func() // ends the wait for its next step
}

// Limits of the commands under way. A command without a step within taskWithin is answered with an
// error, because a bot may wait hours for permits; what the command began continues.
const (
	tasksMax   = 64
	taskWithin = time.Hour
)

// taskLate reports that a command made no step in time.
type taskLate struct {
	messages.MayBeLost
	task *task
}

func newCommander(w *world.World, addresses world.Addresses) *actor.Props {
	return w.Spawn("commander", func() actor.Actor {
		c := &Commander{addresses: addresses}
		c.Begin(w, w.Log.With().Str("actor", "commander").Logger(), "commanding", c.commanding)
		return c
	})
}

func (c *Commander) commanding(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(c.addresses.Events, messages.Subscribe{})
	case messages.Command:
		if err := c.take(ctx, m); err != nil {
			c.answer(ctx, m.ID, err)
		}
	case messages.Event:
		c.saw(ctx, m)
	case taskLate:
		if i := slices.Index(c.tasks, m.task); i >= 0 {
			c.tasks = slices.Delete(c.tasks, i, i+1)
			c.answer(ctx, m.task.id, fmt.Errorf("no step for %v: no longer waiting for it", taskWithin))
		}
	case world.Recovered:
		for _, t := range c.tasks {
			c.await(ctx, t)
		}
	default:
		c.Unexpected(ctx)
	}
}

// take begins a command, or returns why it cannot.
func (c *Commander) take(ctx actor.Context, m messages.Command) error {
	if len(c.tasks) == tasksMax {
		return fmt.Errorf("%d commands are under way, which is the limit", tasksMax)
	}
	switch m.Name {
	case messages.CommandRestartCluster:
		var args messages.RestartClusterArgs
		if err := json.Unmarshal(m.Args, &args); err != nil {
			return fmt.Errorf("args of %s: %w", m.Name, err)
		}
		c.begin(ctx, &task{id: m.ID, watch: restarts(args.Cluster)})
		ctx.Send(c.addresses.Clusters, messages.RestartCluster{Cluster: args.Cluster, Fresh: args.Fresh})
	case messages.CommandRollingRestart:
		c.begin(ctx, &task{id: m.ID, watch: rolls})
		ctx.Send(c.addresses.Clusters, messages.RollingRestart{})
	}
	return nil
}

func (c *Commander) begin(ctx actor.Context, t *task) {
	c.tasks = append(c.tasks, t)
	c.await(ctx, t)
}

// await restarts the time in which a task must make its next step.
func (c *Commander) await(ctx actor.Context, t *task) {
	if t.cancel != nil {
		t.cancel()
	}
	t.cancel = c.After(ctx, taskWithin, taskLate{task: t})
}

// restarts watches one cluster until it serves again, or returns why it does not.
func restarts(id messages.ClusterID) func(*task, messages.Event) (string, bool, error) {
	return func(_ *task, e messages.Event) (string, bool, error) {
		switch e := e.(type) {
		case messages.OrderRefused:
			if e.Order == messages.OrderRestart && e.Cluster != nil && *e.Cluster == id {
				return "", true, fmt.Errorf("%s", e.Err)
			}
		case messages.ClusterStoppedByOrder:
			if e.Cluster == id {
				return "stopped", false, nil
			}
		case messages.ClusterReady:
			return "", e.Cluster == id, nil
		case messages.ClusterAdopted: // CONTROL's own code failed on the way and adopted the process
			return "", e.Cluster == id, nil
		case messages.ClusterGaveUp:
			if e.Cluster == id {
				return "", true, fmt.Errorf("cluster %s gave up after %d attempts: %s", id, e.Attempts, e.Causes[len(e.Causes)-1])
			}
		case messages.ClusterHeld:
			if e.Cluster == id && e.On {
				return "", true, fmt.Errorf("cluster %s waits, and starts by itself once it can: %s", id, e.Err)
			}
		case messages.ClusterFatal:
			if e.Cluster == id {
				return "", true, fmt.Errorf("cluster %s: close code %d, which no restart cures: %s", id, e.CloseCode, e.Err)
			}
		case messages.ClusterIdentifyStorm:
			if e.Cluster == id {
				return "", true, fmt.Errorf("cluster %s identified %d times within 10 minutes: its further identifies are held back", id, e.Identifies)
			}
		case messages.FleetHalted:
			return "", true, fmt.Errorf("the fleet is halted: Discord closed with %d", e.CloseCode)
		case messages.OrderGiven:
			if e.Cluster != nil && *e.Cluster == id && (e.Order == messages.OrderStop || e.Order == messages.OrderDrain) {
				return "", true, fmt.Errorf("cluster %s: %s was ordered by %s", id, e.Order, e.By)
			}
		case messages.ClusterMoved:
			if e.Cluster == id && (e.State == messages.ClusterGone || e.State == messages.ClusterFailed || e.State == messages.ClusterDetached) {
				return "", true, fmt.Errorf("cluster %s is %s", id, e.State)
			}
		}
		return "", false, nil
	}
}

// rolls watches a rolling restart to its end.
func rolls(t *task, e messages.Event) (string, bool, error) {
	switch e := e.(type) {
	case messages.OrderRefused:
		if e.Order == messages.OrderRolling {
			return "", true, fmt.Errorf("%s", e.Err)
		}
	case messages.ClusterReady:
		t.ready++
		return fmt.Sprintf("cluster %s serves again, the %d. of this machine", e.Cluster, t.ready), false, nil
	case messages.RollingRestartMoved:
		switch e.State {
		case "done":
			return "", true, nil
		case "stopped":
			return "", true, fmt.Errorf("stopped at cluster %s: %s; %d are done, %d are not", e.Cluster, e.Err, e.Done, e.Left+1)
		}
	}
	return "", false, nil
}

// saw passes an event to the commands under way.
func (c *Commander) saw(ctx actor.Context, e messages.Event) {
	var left []*task
	for _, t := range c.tasks {
		progress, done, err := t.watch(t, e)
		switch {
		case done:
			t.cancel()
			c.answer(ctx, t.id, err)
			continue
		case progress != "":
			c.await(ctx, t)
			ctx.Send(c.addresses.MasterLink, messages.Ack{ID: t.id, Progress: progress})
		}
		left = append(left, t)
	}
	c.tasks = left
}

func (c *Commander) answer(ctx actor.Context, id string, err error) {
	ack := messages.Ack{ID: id, OK: new(err == nil)}
	if err != nil {
		ack.Error = err.Error()
	}
	ctx.Send(c.addresses.MasterLink, ack)
}
