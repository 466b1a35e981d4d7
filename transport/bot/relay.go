package bot

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/ipc"
)

// This file is for a process that speaks for another one, as a gateway host does for its bot: it
// passes on requests and messages, both ways, as they are.

// Relayed is a packet for the process behind this one.
type Relayed struct {
	Frame   []byte             // as that process would get it from CONTROL
	Message bool               // of another cluster
	Request bool               // of another cluster: it wants an answer, by Pass or Refuse
	Event   messages.Snowflake // of a request
	Within  time.Duration      // the time for the answer
}

// Relay takes what is for the process behind this one: requests whose name has no handler here,
// messages, and the answers to what Pass sent. to is called in order, with the cluster locked: it
// must neither block nor call the cluster. Its error answers a request; anything else is then lost.
func Relay(to func(Relayed) error) Option { return func(o *options) { o.relay = to } }

const (
	// passedMark begins the event_ids of what Pass sends. Those of this process are numbers.
	passedMark = "b"
	// passedMax limits the requests of Pass that CONTROL has not answered, as CONTROL does itself.
	passedMax = 1024
	// PassedEventMax is the longest event_id that Pass takes, in bytes: CONTROL's limit less the
	// mark.
	PassedEventMax = 100 - len(passedMark)
)

// passed is a request of Pass that CONTROL has not answered.
type passed struct {
	conn *conn // that it was sent on
	due  time.Time
}

// Pass sends a packet of the process behind this one: a REQUEST, a MESSAGE, or the answer to a
// request of Relay. It changes p. CONTROL's answer comes by Relay; if CONTROL goes away first, so
// does an error. An error is a packet that was not sent.
func (c *Cluster) Pass(p *ipc.Parcel) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.Answer {
		return c.write(p.Frame())
	}
	event := messages.Snowflake(passedMark + string(p.Event()))
	_, open := c.passed[event]
	now := time.Now()
	if len(c.passed) >= passedMax {
		maps.DeleteFunc(c.passed, func(_ messages.Snowflake, a passed) bool { return now.After(a.due) })
	}
	switch {
	case len(p.Event()) > PassedEventMax || bytes.IndexByte(p.Event(), '\\') >= 0:
		return fmt.Errorf("event_id %.40q: want a text of at most %d bytes without escapes", p.Event(), PassedEventMax)
	case open:
		return fmt.Errorf("event_id %q is that of another open request", p.Event())
	case len(c.passed) >= passedMax:
		return fmt.Errorf("%d requests of this cluster are unanswered: want fewer at a time", len(c.passed))
	}
	p.SetEvent(string(event))
	err := c.write(p.Frame())
	if err == nil && p.T == messages.TRequest {
		c.passed[event] = passed{c.conn, now.Add(cmp.Or(p.TimeoutMS.Duration(), askFor) + askSlack)}
	}
	return err
}

// Refuse answers a request of Relay with an error.
func (c *Cluster) Refuse(event messages.Snowflake, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answerError(event, why)
}

// relays passes on what is for the process behind this one, and reports whether it is for that one
// alone.
func (c *Cluster) relays(d ipc.Delivery, frame []byte) bool {
	request, message := d.T == messages.TRequest, d.T == messages.TMessage
	switch {
	case d.Op == messages.IPCError || request && d.Answer:
		event, theirs := strings.CutPrefix(string(d.Event), passedMark)
		_, open := c.passed[d.Event]
		delete(c.passed, d.Event)
		if theirs && (open || !request) {
			_ = c.opt.relay(Relayed{Frame: d.Renamed(frame, event)}) // a bot that is gone waits for nothing
		}
		return theirs
	case message:
		_ = c.opt.relay(Relayed{Frame: frame, Message: true}) // a message may be lost
		return false
	case !request || c.handler(d.Name) != nil || strings.HasPrefix(d.Name, ownNames):
		return false
	}
	within := cmp.Or(d.TimeoutMS.Duration(), askFor)
	if err := c.opt.relay(Relayed{Frame: frame, Request: true, Event: d.Event, Within: within}); err != nil {
		c.answerError(d.Event, err)
	}
	return true
}

// losePassed answers the requests of Pass that were sent on l: no answer of CONTROL comes.
func (c *Cluster) losePassed(l *conn) {
	for event, a := range c.passed {
		if a.conn == l {
			delete(c.passed, event)
			theirs := strings.TrimPrefix(string(event), passedMark)
			_ = c.opt.relay(Relayed{Frame: ipc.Refusal(messages.TRequest, []byte(theirs), "CONTROL went away before it answered")})
		}
	}
}
