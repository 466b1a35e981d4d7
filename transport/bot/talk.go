package bot

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/ipc"
)

// ErrAway reports that CONTROL is not connected, so that nothing can be sent to other clusters.
var ErrAway = errors.New("CONTROL is away")

// Targets are the addressees of a message or a request. The zero value has none.
type Targets struct {
	clusters []int
	shards   []int
	all      bool
}

// AllClusters addresses every cluster of the fleet, including this one.
func AllClusters() Targets { return Targets{all: true} }

// Clusters addresses clusters by their ids.
func Clusters(ids ...messages.ClusterID) Targets {
	t := Targets{}
	for _, id := range ids {
		t.clusters = append(t.clusters, int(id))
	}
	return t
}

// OwnersOf addresses the clusters of these shards, each once. ShardOf returns the shard of a guild.
func OwnersOf(shards ...int) Targets { return Targets{shards: shards} }

// ShardOf returns the shard of a guild (PROTOCOL B5).
func (c *Cluster) ShardOf(guild uint64) int { return int((guild >> 22) % uint64(c.ShardCount())) }

// address returns the clusters, or the shards whose owners, are addressed. One of them is nil.
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

// Message is a message of another cluster.
type Message struct {
	From messages.ClusterID // messages.ManagerShard: CONTROL itself
	Data json.RawMessage
}

// Undelivered describes a message that did not reach every addressee.
type Undelivered struct {
	Event  messages.Snowflake // as Notify returned it
	Failed []ipc.TargetError
}

// Notify sends a message to clusters, one way, and returns its id. It returns once the message is
// queued; Undeliverable gets the clusters that it did not reach. An error is a message that was not
// sent: CONTROL is away (ErrAway), accepts no more at the moment (transport.ErrBusy), or the
// message is too large or not JSON.
func (c *Cluster) Notify(to Targets, message any) (messages.Snowflake, error) {
	c.mu.Lock()
	talk := ipc.Talk{T: messages.TMessage, Event: c.event(), From: c.env.cluster}
	c.mu.Unlock()
	talk.Clusters, talk.Shards = c.address(to)
	if err := talk.Write(message, c.pass); err != nil {
		return "", fmt.Errorf("notify: %w", err)
	}
	return talk.Event, nil
}

func (c *Cluster) event() messages.Snowflake { return c.mint.New(time.Now(), uint32(c.env.cluster)) }

// pass is write. mu is free.
func (c *Cluster) pass(frame []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write(frame)
}

// write sends a frame that may be refused, or returns why it was not sent.
func (c *Cluster) write(frame []byte) error {
	switch {
	case c.over:
		return ErrStopping
	case c.conn == nil:
		return ErrAway
	}
	return c.conn.link.Offer(frame)
}

// inbox holds the messages of others for their handler.
type inbox struct {
	queue   chan Message
	dropped int // since the last log line
}

// inboxMax limits the messages that wait for their handler. More are dropped, and logged:
// CONTROL's own packets come the same way, and must not wait.
const inboxMax = 1024

// received handles a message.
func (c *Cluster) received(d ipc.Delivery) {
	select {
	case c.in.queue <- Message{d.From, d.Message}:
		if c.in.dropped > 0 {
			c.opt.log.Warn("messages of other clusters were dropped: their handler is too slow", "messages", c.in.dropped)
			c.in.dropped = 0
		}
	default:
		if c.in.dropped++; c.in.dropped == 1 {
			c.opt.log.Warn("messages of other clusters are dropped: their handler is too slow", "waiting", inboxMax)
		}
	}
}

// read passes messages to their handler, one after another, until the cluster ends. mu is free.
func (c *Cluster) read() {
	for {
		select {
		case m := <-c.in.queue:
			c.opt.messages(m)
		case <-c.ctx.Done():
			return
		}
	}
}

// undelivered reports a message that did not reach every addressee.
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
		c.opt.log.Warn("message did not reach every cluster", "clusters", len(failed), "first", failed[0].Cluster, "err", failed[0].Err)
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

// refusalText reads the text of an error, "" if it has another form.
func refusalText(raw json.RawMessage) string {
	var refused messages.FailureError
	_ = json.Unmarshal(raw, &refused)
	return refused.Message
}
