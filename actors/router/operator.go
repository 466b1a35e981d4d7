package router

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	codec "github.com/discluster/control/transport/ipc"
)

// This file asks clusters for an operator. CONTROL itself is the requester then, within the limits
// of every cluster.

// operator is the link by which CONTROL gets the answers to its own requests.
type operator struct {
	transport.Link
	waiting map[string]func(messages.AskAnswer) // by the event_id of the request
}

// ask passes on an operator's request.
func (r *Router) ask(ctx actor.Context, m messages.Ask) {
	to := make([]int, 0, len(m.Clusters))
	for _, id := range m.Clusters {
		to = append(to, int(id))
	}
	event := r.mint.New(time.Now(), managerID)
	talk := codec.Talk{T: messages.TRequest, Event: event, Name: m.Name, Clusters: to, From: managerID, TimeoutMS: messages.Millis(m.Within)}
	var p codec.Parcel
	err := talk.Write(m.Data, func(frame []byte) error {
		if len(frame) > codec.MaxFrame {
			return fmt.Errorf("the request has %d bytes, the limit is %d", len(frame), codec.MaxFrame)
		}
		_, err := p.Read(frame)
		return err
	})
	if err != nil {
		m.Answer(messages.AskAnswer{Refusal: messages.RefusedNow, Reason: err.Error()})
		return
	}
	r.operator.Link.(*operator).waiting[string(event)] = m.Answer
	r.request(ctx, &r.operator, &p)
}

// Offer implements transport.Link: it answers the operator.
func (o *operator) Offer(frame []byte) error {
	var d codec.Delivery
	if is, err := d.Read(frame); !is || err != nil {
		return errors.Join(errors.New("no answer"), err)
	}
	answer := o.waiting[string(d.Event)]
	if answer == nil {
		return nil
	}
	delete(o.waiting, string(d.Event))
	answer(askAnswer(d))
	return nil
}

// askAnswer reads the answer to a request.
func askAnswer(d codec.Delivery) (a messages.AskAnswer) {
	if d.Op == messages.IPCError {
		return messages.AskAnswer{Refusal: messages.RefusedNow, Reason: errorText(d.Result)}
	}
	var values []json.RawMessage
	var failed []codec.TargetError
	err := json.Unmarshal(d.Result, &values)
	if d.Errors != nil {
		err = errors.Join(err, json.Unmarshal(d.Errors, &failed))
	}
	if err != nil || len(values) != len(d.Clusters) {
		panic(fmt.Sprintf("router: its own answer has %d results of %d clusters: %v", len(values), len(d.Clusters), err))
	}
	for i, value := range values {
		a.Results = append(a.Results, messages.AskResult{Cluster: messages.ClusterID(d.Clusters[i]), Value: value})
	}
	for _, e := range failed {
		a.Errors = append(a.Errors, messages.AskError{Cluster: e.Cluster, Err: e.Err})
	}
	return a
}
