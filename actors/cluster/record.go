package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/proc"
)

// record is the file of a cluster's process: the intent before the fork, the pid after it. The next
// run of CONTROL finds and adopts the process by it.
type record struct {
	Shards  messages.ShardRange `json:"shards"`
	Run     plan.Run            `json:"life"`
	Spec    string              `json:"spec"` // Options.fingerprint of the start
	Mark    proc.Mark           `json:"mark"`
	Started messages.UnixMillis `json:"started"`
	Served  bool                `json:"served,omitempty"` // every shard was READY once
}

func recordName(id messages.ClusterID) string { return fmt.Sprintf("cluster-%d.json", id) }

// successorName returns the name of a record whose process waits for the end of the old one.
func successorName(id messages.ClusterID) string { return fmt.Sprintf("successor-%d.json", id) }

// recordName returns the name of this process's record.
func (c *Cluster) recordName() string {
	if c.successor {
		return successorName(c.plan.ID)
	}
	return recordName(c.plan.ID)
}

// recordedCluster returns the id in a record's name, or false for another file.
func recordedCluster(name string) (id messages.ClusterID, ok bool) {
	for _, form := range []string{"cluster-%d.json", "successor-%d.json"} {
		if _, err := fmt.Sscanf(name, form, &id); err == nil && fmt.Sprintf(form, id) == name {
			return id, true
		}
	}
	return 0, false
}

// fingerprint returns a hash of how a bot is run: its command, folder, environment and protocol,
// its shards and their total, and whether it has a runner, whose path an upgrade may change.
func (o Options) fingerprint(s messages.Settings, c plan.Cluster) string {
	how := []any{o.Command, o.Dir, o.ExtraEnv, o.Protocol, c.ID, c.Shards, s.ShardCount}
	if len(o.Runner) > 0 {
		how = append(how, true)
	}
	text, err := json.Marshal(how)
	if err != nil {
		panic(err) // texts and numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// recorded is the result of a save.
type recorded struct {
	ofRun
	err error
}

// handover is the state that a cluster's actor leaves to the actor that replaces it.
type handover struct {
	settled    bool    // the leftovers of earlier runs of CONTROL are known
	record     *record // the last record of this run of CONTROL, saved or not; nil: none
	dead       bool    // the process is known dead
	waiting    bool    // the process's record has a successor's name
	slow       int     // starts in a row that were too slow
	orphanless bool    // no bot is left behind the dead process, a gateway host

	sweeping messages.Snowflake // the dead run of which processes may be left; "": none
}

// inherit saves a successor's record under the name of the cluster's process.
func (c *Cluster) inherit(ctx actor.Context) {
	c.handover.waiting = false
	c.note(ctx, c.process)
	c.W.Remove(successorName(c.plan.ID), func(error) {}) // the record of a dead process is harmless
}

// readRecord reads a record of an earlier run of CONTROL. It returns nil if there is none or the
// file is not a record, and an error if a retry may help.
func (c *Cluster) readRecord(name string) (*record, error) {
	data, err := c.W.Load(name)
	if err != nil || data == nil {
		return nil, err
	}
	r := &record{}
	switch err = json.Unmarshal(data, r); {
	case err != nil:
	case r.Mark.PID < 0 || r.Mark.PID > math.MaxInt32:
		err = fmt.Errorf("its pid is %d: no process has it", r.Mark.PID)
	case r.Mark.Env == "" && r.Mark.PID == 0:
		err = errors.New("it names no process")
	}
	if err != nil {
		c.Log.Warn().Err(err).Str("file", name).Msg("file holds no record; searching the process by its environment")
		return nil, nil
	}
	return r, nil
}

// intend saves the intent to start a process. The answer is recorded.
func (c *Cluster) intend(ctx actor.Context) {
	c.write(ctx, c.W.Intent())
}

// note saves what was started.
func (c *Cluster) note(ctx actor.Context, p proc.Process) {
	c.write(ctx, p.Mark())
}

// mark completes the Mark by which a process of this run is found.
func (c *Cluster) mark(m proc.Mark) proc.Mark {
	m.Env, m.Output = c.runMark(), c.output()
	return m
}

// runMark returns the environment variable that only this run's processes have.
func (c *Cluster) runMark() string { return "SHARDING_INSTANCE_IPC=" + string(c.run.Instance) }

func (c *Cluster) write(ctx actor.Context, mark proc.Mark) {
	mark = c.mark(mark)
	r := record{Shards: c.plan.Shards, Run: c.run, Spec: c.options.fingerprint(c.settings, c.plan), Mark: mark, Started: c.W.AtWall(c.started), Served: c.served}
	c.handover.record = &r
	send, run := world.Sender(ctx), c.thisRun()
	c.W.Save(c.recordName(), world.Encode(r), func(err error) { send(recorded{run, err}) })
}

// noteDue is the time to repeat a failed save.
type noteDue struct{ ofRun }

// saved repeats a failed save: without a record the next run of CONTROL can find the process only
// by its environment.
func (c *Cluster) saved(ctx actor.Context, m recorded) {
	if m.err != nil && c.process != nil {
		c.After(ctx, plan.SaveAgain, noteDue{m.ofRun})
	}
}

// renote saves the record of a running process again.
func (c *Cluster) renote(ctx actor.Context) {
	if c.exit == nil {
		c.note(ctx, c.process)
	}
}
