package bot

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/ipc"
)

// ErrAway says that CONTROL is not there at the moment, and nothing can be said to other clusters.
var ErrAway = errors.New("CONTROL is away")

// Targets says which clusters a message or a request is for. The zero value is for none.
type Targets struct {
	clusters []int
	shards   []int
	all      bool
}

// Everyone is every cluster of the fleet, this one too.
func Everyone() Targets { return Targets{all: true} }

// Clusters are clusters by their ids.
func Clusters(ids ...messages.ClusterID) Targets {
	t := Targets{}
	for _, id := range ids {
		t.clusters = append(t.clusters, int(id))
	}
	return t
}

// OwnersOf are the clusters that have these shards, each once. Which shard a guild is on says ShardOf.
func OwnersOf(shards ...int) Targets { return Targets{shards: shards} }

// ShardOf is the shard that a guild is on (WIRE B5).
func (c *Cluster) ShardOf(guild uint64) int { return int((guild >> 22) % uint64(c.ShardCount())) }

// addressed is how the wire says Targets: one of the two is left out.
type addressed struct {
	Clusters []int `json:"shards,omitzero"` // upstream's name; of evals and messages it means clusters (WIRE A4)
	Shards   []int `json:"shard_ids,omitzero"`
}

// address says to whom something goes.
func (c *Cluster) address(to Targets) addressed {
	switch {
	case to.all:
		a := addressed{Clusters: make([]int, c.Count())}
		for id := range a.Clusters {
			a.Clusters[id] = id
		}
		return a
	case to.shards != nil:
		return addressed{Shards: to.shards}
	}
	return addressed{Clusters: append([]int{}, to.clusters...)}
}

// Message is what a cluster told others.
type Message struct {
	From messages.ClusterID // messages.ManagerShard: CONTROL itself
	Data json.RawMessage
}

// Undelivered is what became of a message that did not reach everyone it was for.
type Undelivered struct {
	Event  messages.Snowflake // Tell gave it
	Failed []ipc.TargetError
}

// Tell sends a message to clusters, one way, and gives its id. It returns as soon as the message is on its way: whom it did not reach, Undelivered is told. An error is a
// message that did not leave: CONTROL is away (ErrAway), takes no more at the moment (transport.ErrBusy), or it is too large or no JSON.
func (c *Cluster) Tell(to Targets, message any) (messages.Snowflake, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	event := c.event()
	err := c.operation(messages.Operation{T: messages.TMessage}, struct {
		EventID messages.Snowflake `json:"event_id"`
		Message any                `json:"message"`
		addressed
		From messages.ClusterID `json:"from"`
	}{event, message, c.address(to), c.env.cluster})
	if err != nil {
		return "", fmt.Errorf("tell: %w", err)
	}
	return event, nil
}

func (c *Cluster) event() messages.Snowflake { return c.mint.New(time.Now(), uint32(c.env.cluster)) }

// operation sends an operation with this data, or says why it did not leave.
func (c *Cluster) operation(op messages.Operation, data any) (err error) {
	if op.Data, err = json.Marshal(data); err != nil {
		return err
	}
	frame, err := ipc.EncodeFromInstance(op)
	switch {
	case err != nil:
		return err
	case c.over:
		return ErrStopping
	case c.line == nil:
		return ErrAway
	}
	return c.line.link.Offer(frame)
}

// inbox takes the messages of others until their handler has time.
type inbox struct {
	queue   chan Message
	dropped int // since that was logged
}

// inboxMost is how many messages wait for their handler. More are dropped, and logged: CONTROL's own packets come by the same way, and must not wait.
const inboxMost = 1024

// received takes a message.
func (c *Cluster) received(data json.RawMessage) {
	var d struct {
		Message json.RawMessage    `json:"message"`
		From    messages.ClusterID `json:"from"`
	}
	if err := json.Unmarshal(data, &d); err != nil {
		c.opt.log.Warn("unreadable message of another cluster", "err", err)
		return
	}
	select {
	case c.in.queue <- Message{d.From, d.Message}:
		if c.in.dropped > 0 {
			c.opt.log.Warn("messages of other clusters were dropped: their handler is too slow", "messages", c.in.dropped)
			c.in.dropped = 0
		}
	default:
		if c.in.dropped++; c.in.dropped == 1 {
			c.opt.log.Warn("messages of other clusters are dropped: their handler is too slow", "waiting", inboxMost)
		}
	}
}

// read hands messages to their handler, one after another, for as long as the cluster lives. mu is free.
func (c *Cluster) read() {
	for {
		select {
		case m := <-c.in.queue:
			c.opt.messages(m)
		case <-c.life.Done():
			return
		}
	}
}

// undelivered tells what did not reach everyone.
func (c *Cluster) undelivered(data json.RawMessage) {
	var d struct {
		EventID messages.Snowflake    `json:"event_id"`
		Errors  []ipc.TargetError     `json:"errors"`
		Result  messages.FailureError `json:"result"` // where it was refused as a whole
	}
	if err := json.Unmarshal(data, &d); err != nil {
		c.opt.log.Warn("unreadable answer of CONTROL", "err", err)
		return
	}
	if len(d.Errors) == 0 {
		d.Errors = []ipc.TargetError{{Cluster: messages.ManagerShard, Err: d.Result.Message}}
	}
	if c.opt.undelivered == nil {
		c.opt.log.Warn("message did not reach everyone", "clusters", len(d.Errors), "first", d.Errors[0].Cluster, "err", d.Errors[0].Err)
		return
	}
	c.mu.Unlock()
	defer c.mu.Lock()
	c.opt.undelivered(Undelivered{d.EventID, d.Errors})
}
