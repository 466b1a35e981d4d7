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
	// Answer answers the call, once. It never blocks. The value is JSON
	Answer func(value json.RawMessage, err error)
}

// Guest handles evals and the requests of AskGuests. handle must not block. Without it evals are
// refused.
func Guest(handle func(GuestCall)) Option { return func(o *options) { o.guest = handle } }

// AskGuests asks the hosts of such bots in clusters, as Ask does, and waits no longer than within.
// An eval is a BROADCAST_EVAL, which an operator may have switched off (ipc.eval); its data is a
// text.
func (c *Cluster) AskGuests(ctx context.Context, to Targets, eval bool, data json.RawMessage, within time.Duration) ([]Answer[json.RawMessage], error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	name := guestName
	if eval {
		name = ""
	}
	d, err := c.request(ctx, to, name, data)
	switch {
	case err != nil:
		return nil, err
	case d.Op == messages.IPCError:
		return nil, errors.New(refusalText(d.Result))
	}
	failed, err := targetErrors(d.Errors)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	answers, err := values[json.RawMessage](d, len(failed))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	for _, e := range failed {
		answers = append(answers, Answer[json.RawMessage]{Cluster: e.Cluster, Err: errors.New(e.Err)})
	}
	slices.SortStableFunc(answers, func(a, b Answer[json.RawMessage]) int { return cmp.Compare(a.Cluster, b.Cluster) })
	return answers, nil
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
	call.Answer = func(value json.RawMessage, err error) {
		talk := ipc.Talk{T: d.T, Event: d.Event}
		if err == nil {
			if err = talk.Write(value, c.pass); err == nil || errors.Is(err, ErrAway) || errors.Is(err, ErrStopping) {
				return
			}
			err = fmt.Errorf("its answer cannot be sent: %w", err)
		}
		text := err.Error()
		if token := c.Token().Reveal(); token != "" {
			text = strings.ReplaceAll(text, token, c.Token().String())
		}
		if err = c.pass(ipc.Refusal(d.T, []byte(d.Event), text)); err != nil {
			c.opt.log.Warn("answer to another cluster is lost", "err", err)
		}
	}
	c.mu.Unlock()
	defer c.mu.Lock()
	c.opt.guest(call)
	return true
}

// RollingRestart asks CONTROL to replace every cluster of this machine, one after another. It
// returns false while CONTROL is away or takes no such request.
func (c *Cluster) RollingRestart() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sendTo(messages.FeatureRoll, messages.Roll{EventID: c.event()})
}
