package bot

import (
	"encoding/json"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/ipc"
)

// Send sends an operation to other clusters through CONTROL (PROTOCOL A4), where Notify and Ask do
// not suffice. An error is an operation that was not sent.
func (c *Cluster) Send(op messages.Operation) error {
	frame, err := ipc.EncodeFromInstance(op)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write(frame)
}

// delivered handles a packet of another cluster, or an answer of CONTROL.
func (c *Cluster) delivered(d ipc.Delivery, frame []byte) {
	switch {
	case c.forGuest(d):
	case c.opt.relay != nil && c.relays(d, frame):
	case d.T == messages.TRequest && d.Answer:
		c.answered(d)
	case d.T == messages.TRequest:
		c.asked(d)
	case d.Op == messages.IPCError:
		c.undelivered(d)
	case c.opt.messages != nil:
		c.received(d)
	}
}

// operate handles another operation of another cluster and returns the answer, nil where there is
// none. mu is unlocked for the handler, which may call the cluster.
func (c *Cluster) operate(op messages.Operation) *messages.Operation {
	if c.opt.operation == nil {
		return refusal(op)
	}
	c.mu.Unlock()
	defer c.mu.Lock()
	return c.opt.operation(op)
}

// refusal answers a request for an eval, a cache operation or members as upstream answers a failed
// one (PROTOCOL A4): a Go bot runs no scripts and keeps no cache.
func refusal(op messages.Operation) *messages.Operation {
	var d struct {
		EventID messages.Snowflake `json:"event_id"`
		// only a request has these two: an answer is not answered
		Script  *string         `json:"script"`
		Op      *int            `json:"op"`
		Members json.RawMessage `json:"members"` // of an answer
	}
	if json.Unmarshal(op.Data, &d) != nil || d.EventID == "" {
		return nil
	}
	var data any
	answer := messages.Operation{Op: op.Op, T: op.T}
	switch {
	case op.Op == messages.IPCCacheOperate && d.Op != nil:
		data = map[string]any{"event_id": d.EventID, "success": false}
	case op.Op == messages.IPCDispatch && op.T == messages.TBroadcastEval && d.Script != nil:
		answer.Op = messages.IPCError
		data = map[string]any{"event_id": d.EventID, "result": messages.FailureError{Name: "Error", Message: "this cluster runs no scripts"}}
	case op.Op == messages.IPCDispatch && op.T == messages.TGuildMembers && d.Members == nil:
		answer.Op = messages.IPCError
		data = map[string]any{"event_id": d.EventID, "result": messages.FailureError{Name: "Error", Message: "this cluster lists no members"}}
	default:
		return nil
	}
	answer.Data, _ = json.Marshal(data) // of texts alone: it cannot fail
	return &answer
}
