package bot

import (
	"encoding/json"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/ipc"
)

// Send passes an operation of ours on to other clusters, by way of CONTROL (PROTOCOL A4): for what
// Tell and Ask do not say. An error is one that did not leave.
func (c *Cluster) Send(op messages.Operation) error {
	frame, err := ipc.EncodeFromInstance(op)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write(frame)
}

// delivered deals with what another cluster wrote, or what CONTROL answered.
func (c *Cluster) delivered(d ipc.Delivery) {
	switch {
	case d.T == messages.TRequest && d.Answer:
		c.answered(d)
	case d.T == messages.TRequest:
		c.asked(d)
	case d.Op == messages.IPCError:
		c.undelivered(d)
	default:
		c.received(d)
	}
}

// operate handles another operation of another cluster and returns the answer, nil where there is
// none. The handler must be free to call us.
func (c *Cluster) operate(op messages.Operation) *messages.Operation {
	if c.opt.operation == nil {
		return refusal(op)
	}
	c.mu.Unlock()
	defer c.mu.Lock()
	return c.opt.operation(op)
}

// refusal answers a request for an eval, a cache operation or members as upstream answers a failed
// one (PROTOCOL A4): a Go bot runs no scripts and keeps no cache here.
func refusal(op messages.Operation) *messages.Operation {
	var d struct {
		EventID messages.Snowflake `json:"event_id"`
		Script  *string            `json:"script"` // only a request has these two: an answer is not answered
		Op      *int               `json:"op"`
		Members json.RawMessage    `json:"members"` // of an answer
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
		data = map[string]any{"event_id": d.EventID, "result": messages.FailureError{Name: "Error", Message: "this cluster hands out no members"}}
	default:
		return nil
	}
	answer.Data, _ = json.Marshal(data) // of texts alone: it can not fail
	return &answer
}
