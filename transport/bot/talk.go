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

// ShardOf is the shard that a guild is on (PROTOCOL B5).
func (c *Cluster) ShardOf(guild uint64) int { return int((guild >> 22) % uint64(c.ShardCount())) }

// address returns to which clusters, or to the owners of which shards, something goes. One of them
// is nil.
func (c *Cluster) address(to Targets) (clusters, shards []int) {
	switch {
	case to.all:
		clusters = make([]int, c.Count())
		for id := range clusters {
			clusters[id] = id
		}
		return clusters, nil
	case to.shards != nil:
		return nil, to.shards
	}
	return append([]int{}, to.clusters...), nil
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
	raw, err := json.Marshal(message)
	if err != nil {
		return "", fmt.Errorf("tell: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	talk := ipc.Talk{T: messages.TMessage, Event: c.event(), Message: raw, From: c.env.cluster}
	talk.Clusters, talk.Shards = c.address(to)
	if err := c.write(talk.Encode()); err != nil {
		return "", fmt.Errorf("tell: %w", err)
	}
	return talk.Event, nil
}

func (c *Cluster) event() messages.Snowflake { return c.mint.New(time.Now(), uint32(c.env.cluster)) }

// write sends a frame that may be refused, or says why it did not leave.
func (c *Cluster) write(frame []byte) error {
	switch {
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
func (c *Cluster) received(d ipc.Delivery) {
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
func (c *Cluster) undelivered(d ipc.Delivery) {
	failed, err := targetErrors(d.Errors)
	if err != nil {
		c.opt.log.Warn("unreadable answer of CONTROL", "err", err)
		return
	}
	if len(failed) == 0 { // it was refused as a whole
		failed = []ipc.TargetError{{Cluster: messages.ManagerShard, Err: refusalText(d.Result)}}
	}
	if c.opt.undelivered == nil {
		c.opt.log.Warn("message did not reach everyone", "clusters", len(failed), "first", failed[0].Cluster, "err", failed[0].Err)
		return
	}
	c.mu.Unlock()
	defer c.mu.Lock()
	c.opt.undelivered(Undelivered{d.Event, failed})
}

// targetErrors reads the errors of an answer; nil: it has none.
func targetErrors(raw json.RawMessage) (failed []ipc.TargetError, err error) {
	if raw != nil {
		err = json.Unmarshal(raw, &failed)
	}
	return failed, err
}

// refusalText reads what an error says. Whatever else it is, it is a refusal.
func refusalText(raw json.RawMessage) string {
	var refused messages.FailureError
	_ = json.Unmarshal(raw, &refused)
	return refused.Message
}
