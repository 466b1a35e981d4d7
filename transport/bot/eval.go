package bot

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/ipc"
)

// This file is for a process that runs a bot of another manager as its child, as the gateway host
// does: its bots run scripts for each other, and read properties of each other.

// guestName is the name of requests to the hosts of such bots, beside evals.
const guestName = ownNames + "guest"

// GuestCall is an eval, or a request of another host of such a bot.
type GuestCall struct {
	Eval   bool            // Data is the script, a text; else it is what AskGuests sent
	Data   json.RawMessage // as its sender wrote it
	From   messages.ClusterID
	Within time.Duration // for the answer
	// Answer answers the call, once: with a value, which is JSON, or with what was thrown. It never
	// blocks
	Answer func(value json.RawMessage, thrown *messages.FailureError)
}

// Guest handles evals and the requests of AskGuests. handle must not block. Without it evals are
// refused.
func Guest(handle func(GuestCall)) Option { return func(o *options) { o.guest = handle } }

// GuestAnswers are the answers to AskGuests: of all clusters, or the first failure.
type GuestAnswers struct {
	Values []Answer[json.RawMessage] // in the order of the clusters
	Thrown *messages.FailureError    // the error of a bot, or CONTROL's refusal, which has no stack; nil: neither
	Missed []ipc.TargetError         // clusters without an answer
}

// AskGuests asks the hosts of such bots in clusters, and waits no longer than within; the first
// failure ends the wait. An eval is a BROADCAST_EVAL, which an operator may have switched off
// (ipc.eval); its data is a text. An error is a request that CONTROL did not answer.
func (c *Cluster) AskGuests(ctx context.Context, to Targets, eval bool, data json.RawMessage, within time.Duration) (g GuestAnswers, err error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	talk := ipc.Talk{T: messages.TRequest, Name: guestName, FailFast: true}
	if eval {
		talk = ipc.Talk{T: messages.TBroadcastEval, FailFast: true}
	}
	d, err := c.ask(ctx, to, talk, data)
	if err != nil {
		return g, err
	}
	if d.Op == messages.IPCError {
		g.Thrown = &messages.FailureError{}
		return g, json.Unmarshal(d.Result, g.Thrown)
	}
	if g.Missed, err = targetErrors(d.Errors); err == nil && len(g.Missed) == 0 {
		g.Values, err = values[json.RawMessage](d, 0)
	}
	if err != nil {
		return g, fmt.Errorf("read the answer: %w", err)
	}
	slices.SortFunc(g.Values, func(a, b Answer[json.RawMessage]) int { return cmp.Compare(a.Cluster, b.Cluster) })
	return g, nil
}

// forGuest handles what is for the child or its host, and reports whether it was.
func (c *Cluster) forGuest(d ipc.Delivery) bool {
	eval := d.T == messages.TBroadcastEval
	switch {
	case c.opt.guest == nil:
		return false
	case eval && d.Answer:
		c.answered(d)
		return true
	case !eval && (d.T != messages.TRequest || d.Answer || d.Name != guestName):
		return false
	}
	call := GuestCall{Eval: eval, Data: d.Data, From: d.From, Within: cmp.Or(d.TimeoutMS.Duration(), askFor)}
	if eval {
		call.Data = d.Script
	}
	call.Answer = func(value json.RawMessage, thrown *messages.FailureError) { c.answerGuest(d, value, thrown) }
	c.mu.Unlock()
	defer c.mu.Lock()
	c.opt.guest(call)
	return true
}

// answerGuest answers the host of another one, with what its bot threw if that is not nil. mu is
// free.
func (c *Cluster) answerGuest(d ipc.Delivery, value json.RawMessage, thrown *messages.FailureError) {
	if thrown == nil {
		err := ipc.Talk{T: d.T, Event: d.Event}.Write(value, c.pass)
		if err == nil || errors.Is(err, ErrAway) || errors.Is(err, ErrStopping) {
			return
		}
		thrown = &messages.FailureError{Name: "Error", Message: fmt.Sprintf("its answer cannot be sent: %v", err)}
	}
	e := *thrown
	if token := c.Token().Reveal(); token != "" {
		e.Message, e.Stack = strings.ReplaceAll(e.Message, token, c.Token().String()), strings.ReplaceAll(e.Stack, token, c.Token().String())
	}
	text, err := json.Marshal(e)
	if err == nil {
		err = c.pass(ipc.Reply{Op: messages.IPCError, T: d.T, Event: []byte(d.Event), Result: text}.Encode())
	}
	if err != nil && !errors.Is(err, ErrAway) && !errors.Is(err, ErrStopping) {
		c.opt.log.Warn("answer to another cluster is lost", "err", err)
	}
}

// RollingRestart asks CONTROL to replace every cluster of this machine, one after another. It
// returns false while CONTROL is away or takes no such request.
func (c *Cluster) RollingRestart() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sendTo(messages.FeatureRoll, messages.Roll{EventID: c.event()})
}
