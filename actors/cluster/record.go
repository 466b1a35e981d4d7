package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
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
	Life    plan.Run            `json:"life"`
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
func (o Options) fingerprint(s messages.Settings, c plan.Cluster) string {
	text, err := json.Marshal([]any{o.Command, o.Dir, o.ExtraEnv, o.Protocol, c.ID, c.Shards, s.ShardCount})
	if err != nil {
		panic(err) // texts and numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// recorded is the disk's answer.
type recorded struct {
	ofRun
	err error
}

// past is what a cluster's actor leaves to the one that takes its place.
type past struct {
	settled bool    // what earlier lives of CONTROL left is known
	record  *record // what was written last in this life, whether the disk took it or not; nil: nothing
	buried  bool    // its process is known dead
	waiting bool    // the record of its process is a successor's
	slow    int     // starts in a row that were too slow

	sweeping messages.Snowflake // the run that is known dead, of which processes may be left; "": none
}

// inherit makes the record of a successor that of the cluster's process.
func (c *Cluster) inherit(ctx actor.Context) {
	c.past.waiting = false
	c.note(ctx, c.process)
	c.W.Remove(successorName(c.plan.ID), func(error) {}) // a record of the dead does no harm
}

// readRecord reads a record of an earlier life; nil where there is none, and where it is no record,
// which it never becomes: an error may pass.
func (c *Cluster) readRecord(name string) (*record, error) {
	data, err := c.W.Load(name)
	if err != nil || data == nil {
		return nil, err
	}
	r := &record{}
	if err = json.Unmarshal(data, r); err == nil && r.Mark.Env == "" && r.Mark.PID == 0 {
		err = errors.New("it names no process")
	}
	if err != nil {
		c.Log.Warn().Err(err).Str("file", name).Msg("file holds no record; the process is searched by its environment")
		return nil, nil
	}
	return r, nil
}

// intend writes down what is about to be started. The answer is recorded.
func (c *Cluster) intend(ctx actor.Context) {
	c.write(ctx, c.W.Intent())
}

// note writes down what was started, so that it is found at once.
func (c *Cluster) note(ctx actor.Context, p proc.Process) {
	c.write(ctx, p.Mark())
}

// mark is by what a process of this life is found.
func (c *Cluster) mark(m proc.Mark) proc.Mark {
	m.Env, m.Output = c.runMark(), c.output()
	return m
}

// runMark is the entry of the environment that this run's processes hold, and no other's.
func (c *Cluster) runMark() string { return "SHARDING_INSTANCE_IPC=" + string(c.life.Instance) }

func (c *Cluster) write(ctx actor.Context, mark proc.Mark) {
	mark = c.mark(mark)
	r := record{Shards: c.plan.Shards, Life: c.life, Spec: c.options.fingerprint(c.settings, c.plan), Mark: mark, Started: c.W.AtWall(c.started), Served: c.served}
	c.past.record = &r
	send, run := world.Sender(ctx), c.thisRun()
	c.W.Save(c.recordName(), world.Encode(r), func(err error) { send(recorded{run, err}) })
}

// noteAgain is how soon a record that the disk did not take is written again; noteDue is the time
// for it.
const noteAgain = 10 * time.Second

type noteDue struct{ ofRun }

// saved reports once that the disk takes no record, and tries again: without one the next life of
// CONTROL has the environment alone to find the process by.
func (c *Cluster) saved(ctx actor.Context, m recorded) {
	if m.err != nil && !c.unsaved {
		ctx.Send(c.addresses.Events, messages.StateUnwritable{File: recordName(c.plan.ID), Err: m.err.Error()})
	}
	if c.unsaved = m.err != nil; c.unsaved && c.process != nil {
		c.After(ctx, noteAgain, noteDue{m.ofRun})
	}
}

// renote writes the record of a process that lives again.
func (c *Cluster) renote(ctx actor.Context) {
	if c.exit == nil {
		c.note(ctx, c.process)
	}
}
