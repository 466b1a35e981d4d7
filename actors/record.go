package actors

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/proc"
)

// record is what is on disk of a cluster's process: the intent before the fork, the pid after it. By it another life of CONTROL finds the process and takes it back.
type record struct {
	Shards  messages.ShardRange `json:"shards"`
	Life    plan.Life           `json:"life"`
	Spec    string              `json:"spec"` // fingerprint of what was started
	Mark    proc.Mark           `json:"mark"`
	Started messages.UnixMillis `json:"started"`
	Served  bool                `json:"served,omitempty"` // every shard was READY once
}

func recordName(id messages.ClusterID) string { return fmt.Sprintf("cluster-%d.json", id) }

// successorName is a record's name while its process waits for the end of the one before it.
func successorName(id messages.ClusterID) string { return fmt.Sprintf("successor-%d.json", id) }

// recordName is where this cluster's process is written down.
func (c *Cluster) recordName() string {
	if c.successor {
		return successorName(c.plan.ID)
	}
	return recordName(c.plan.ID)
}

// recordedCluster is the id in a record's name; false for another file.
func recordedCluster(name string) (id messages.ClusterID, ok bool) {
	for _, form := range []string{"cluster-%d.json", "successor-%d.json"} {
		if _, err := fmt.Sscanf(name, form, &id); err == nil && fmt.Sprintf(form, id) == name {
			return id, true
		}
	}
	return 0, false
}

// fingerprint tells one way of running a bot from another: its command, folder, environment and protocol, and what shards it has of how many.
func (o ClusterOptions) fingerprint(s messages.Settings, c plan.Cluster) string {
	text, err := json.Marshal([]any{o.Command, o.Dir, o.ExtraEnv, o.Protocol, c.ID, c.Shards, s.ShardCount})
	if err != nil {
		panic(err) // texts and numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// What a cluster hears of its record.
type (
	recorded struct {
		life messages.Snowflake
		err  error
	}
	found struct {
		process proc.Process
		err     error
	}
)

// These may come after their cluster has stopped; that is no news.
func (recorded) IgnoreDeadLetterLogging() {}
func (found) IgnoreDeadLetterLogging()    {}

// past is what a cluster's actor leaves to the one that takes its place, besides the record.
type past struct {
	buried  bool // its process is known dead
	waiting bool // the record of its process is a successor's
	slow    int  // starts in a row that were too slow
}

// inherit makes the record of a successor that of the cluster's process.
func (c *Cluster) inherit(ctx actor.Context) {
	c.past.waiting = false
	c.note(ctx, c.process)
	c.W.Remove(successorName(c.plan.ID), func(error) {}) // a record of the dead does no harm
}

// stray is a successor that an earlier life of CONTROL started and did not live to use.
type stray struct{ process proc.Process }

// IgnoreDeadLetterLogging: it may come after the cluster has stopped.
func (stray) IgnoreDeadLetterLogging() {}

// endStray ends a successor of an earlier life.
func (c *Cluster) endStray(ctx actor.Context) {
	data, err := c.W.Load(successorName(c.plan.ID))
	var r record
	if err != nil || data == nil || json.Unmarshal(data, &r) != nil {
		return
	}
	send := world.Sender(ctx)
	c.W.Find(r.Mark, func(p proc.Process, err error) {
		if err == nil {
			send(stray{p})
		}
	})
	c.W.Remove(successorName(c.plan.ID), func(error) {})
}

// recall looks whether an earlier life left a process, and begins to search for it.
func (c *Cluster) recall(ctx actor.Context) (left bool) {
	if !c.reborn { // else the successor is one of this life
		c.endStray(ctx)
	}
	name := recordName(c.plan.ID)
	if c.past.waiting {
		name = successorName(c.plan.ID)
	}
	data, err := c.W.Load(name)
	var r record
	if err == nil && data != nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		c.Log.Warn().Err(err).Str("file", name).Msg("record cannot be read; a process it spoke of is not found")
	}
	if err != nil || data == nil {
		return false
	}
	c.life, c.started, c.served, c.changed = r.Life, c.W.FromWall(r.Started), r.Served, r.Spec != c.options.fingerprint(c.settings, c.plan)
	if now := time.Now(); c.started.After(now) { // the clock was ahead
		c.started = now
	}
	c.enter(ctx, messages.ClusterAdopting, c.adopting)
	send := world.Sender(ctx)
	c.cancel = c.W.Find(r.Mark, func(p proc.Process, err error) { send(found{p, err}) })
	return true
}

// adopting waits for the process of an earlier life: found, it is greeted as if it had just been started; gone, another one is.
func (c *Cluster) adopting(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case found:
		var gone *proc.GoneError
		switch {
		case m.err == nil:
			c.adopted = true
			c.own(ctx, m.process)
			if c.past.waiting {
				c.inherit(ctx)
			}
			c.meet(ctx)
		case errors.As(m.err, &gone):
			ctx.Send(c.house.Herald, messages.ClusterDied{Cluster: c.plan.ID, Shards: c.plan.Shards.String(), Cause: messages.CauseExited,
				Err: "the process ended while CONTROL was away", Exit: gone.Exit.String()})
			c.bury(ctx)
			c.spawn(ctx)
		case errors.Is(m.err, errors.ErrUnsupported): // no process can be found here
			c.bury(ctx)
			c.spawn(ctx)
		default: // it may live: a second one would double its shards
			c.cancel = nil
			c.fail(ctx, &Failure{Cause: messages.CauseStartFailed, Err: "whether the process of an earlier life lives is not known: " + m.err.Error()})
		}
	case world.Recovered: // what was found may be lost to a panic of ours
		c.recallAnew(ctx)
	case messages.StopRun:
		c.enter(ctx, messages.ClusterKilling, c.takingLeave)
	default:
		c.always(ctx)
	}
}

// recallAnew searches once more.
func (c *Cluster) recallAnew(ctx actor.Context) {
	c.detach()
	if !c.recall(ctx) {
		c.stopped(ctx)
	}
}

// seek looks whether a process that was killed is there still.
func (c *Cluster) seek(ctx actor.Context) {
	send := world.Sender(ctx)
	c.cancel = c.W.Find(c.mark(proc.Mark{PID: c.process.PID(), Started: c.process.Started()}), func(p proc.Process, err error) { send(found{p, err}) })
}

// sought takes what came of that.
func (c *Cluster) sought(ctx actor.Context, m found) {
	var gone *proc.GoneError
	if c.process != nil && errors.As(m.err, &gone) {
		c.ended(ctx, gone.Exit)
		return
	}
	if c.cancel != nil { // it is there: its death is awaited already
		c.cancel()
		c.cancel = nil
	}
}

// takingLeave waits for the process of an earlier life, to end it.
func (c *Cluster) takingLeave(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case found:
		if m.err != nil {
			c.stopped(ctx)
			return
		}
		c.own(ctx, m.process)
		c.kill(ctx, syscall.SIGTERM, nil)
	case world.Recovered:
		if c.recallAnew(ctx); c.cancel != nil {
			c.enter(ctx, messages.ClusterKilling, c.takingLeave)
		}
	case messages.StopRun:
	default:
		c.always(ctx)
	}
}

// intend writes down what is about to be started. The answer is recorded.
func (c *Cluster) intend(ctx actor.Context) {
	c.write(ctx, proc.Mark{})
}

// note writes down what was started, so that it is found at once.
func (c *Cluster) note(ctx actor.Context, p proc.Process) {
	c.write(ctx, proc.Mark{PID: p.PID(), Started: p.Started()})
}

// mark is by what a process of this life is found.
func (c *Cluster) mark(m proc.Mark) proc.Mark {
	m.Env, m.Output = "SHARDING_INSTANCE_IPC="+string(c.life.Instance), c.output()
	return m
}

func (c *Cluster) write(ctx actor.Context, mark proc.Mark) {
	mark = c.mark(mark)
	r := record{Shards: c.plan.Shards, Life: c.life, Spec: c.options.fingerprint(c.settings, c.plan), Mark: mark, Started: c.W.AtWall(c.started), Served: c.served}
	send, life := world.Sender(ctx), c.life.Instance
	c.W.Save(c.recordName(), encode(r), func(err error) { send(recorded{life, err}) })
}

// saved says once that the disk takes no record: the bots go on, but the next life of CONTROL will not find this one's processes.
func (c *Cluster) saved(ctx actor.Context, m recorded) {
	if m.err != nil && !c.unsaved {
		ctx.Send(c.house.Herald, messages.StateUnwritable{File: recordName(c.plan.ID), Err: m.err.Error()})
	}
	c.unsaved = m.err != nil
}
