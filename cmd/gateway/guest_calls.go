package gateway

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/bot"
	"github.com/discluster/control/transport/guest"
)

// This file carries out the calls of a bot that is a manager's guest, by the hosts of other
// clusters.

// request asks another host for something that is no eval. One of the two is set.
type request struct {
	Read     *string         `json:"read,omitempty"` // the path of a property
	Maintain *guest.Maintain `json:"maintain,omitempty"`
}

// answer is a bot's answer on its way to another host. Without a result it is undefined.
type answer struct {
	Result json.RawMessage `json:"result"`
}

// writeResult writes an answer. The result stays as the bot wrote it.
func writeResult(result json.RawMessage) json.RawMessage {
	if result == nil {
		return json.RawMessage("{}")
	}
	return bytes.Join([][]byte{[]byte(`{"result":`), result, []byte("}")}, nil)
}

func encodeRequest(r request) json.RawMessage {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // texts, and a value that was read
	}
	return text
}

// callsMax limits the calls of a bot that have no answer, in bytes.
const callsMax = 4 * guest.LineMax

// call carries out a call of the bot, which has this size.
func (r *guestRun) call(c guest.Call, size int) {
	m := r.of
	switch {
	case c.Refused != nil:
		r.answer(c, c.Fail(*c.Refused), nil)
	case c.Respawn:
		m.respawn()
	case !r.takes(size):
		r.answer(c, c.Fail(guest.Failed(fmt.Errorf("the bot has too many calls without an answer: want at most %d, of %d bytes together", guest.OpenMax, callsMax))), nil)
	case c.Maintain != nil:
		before, passedOn := r.announced, make(chan struct{})
		r.announced = passedOn
		go func() {
			if before != nil {
				<-before // its end must not come before its begin
			}
			m.announce(c)
			close(passedOn)
			r.done(size)
		}()
	default:
		n := m.open.begin(c.Key())
		go func() {
			r.answer(c, m.ask(c), func() { m.open.end(n) })
			r.done(size)
		}()
	}
}

// takes reports whether the bot may make another call of this size, and counts it until done.
func (r *guestRun) takes(size int) bool {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	if r.calls >= guest.OpenMax || r.bytes+size > callsMax {
		return false
	}
	r.calls++
	r.bytes += size
	return true
}

// done ends a call that takes counted.
func (r *guestRun) done(size int) {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	r.calls--
	r.bytes -= size
}

// answer sends an answer, or if the bot has no room for it, an error, which waits until the bot
// reads: a call without an answer never ends. written is called once the bot may read it; it may be
// nil.
func (r *guestRun) answer(c guest.Call, line []byte, written func()) {
	if line == nil {
		return
	}
	if err := r.channel.SendThen(line, written); errors.Is(err, guest.ErrBusy) {
		line = c.Fail(guest.Failed(fmt.Errorf("the answer has %d bytes, and %w", len(line), err)))
		_ = r.channel.SendWaiting(line, written) // a bot that is gone waits for nothing
	}
}

// targets returns the addressees of a call.
func targets(to guest.Targets) bot.Targets {
	switch {
	case to.All:
		return bot.AllClusters()
	case to.Shards != nil:
		return bot.OwnersOf(to.Shards...)
	}
	ids := make([]messages.ClusterID, 0, len(to.Clusters))
	for _, id := range to.Clusters {
		ids = append(ids, messages.ClusterID(id))
	}
	return bot.Clusters(ids...)
}

// ask asks the bots of other clusters, and returns the line that answers the call.
func (m *manager) ask(c guest.Call) []byte {
	data, eval := c.Script, c.Script != nil
	if !eval {
		data = encodeRequest(request{Read: &c.Path})
	}
	var out []int // clusters that start, where the call is for the others
	for to := c.To; ; {
		got, err := m.cluster.AskGuests(context.Background(), targets(to), eval, data, cmp.Or(c.Within, guest.Within))
		switch {
		case err != nil:
			return c.Fail(guest.Failed(fmt.Errorf("CONTROL does not ask the clusters: %w", err)))
		case got.Thrown != nil:
			return c.Fail(guest.Passed(got.Thrown.Name, got.Thrown.Message, got.Thrown.Stack))
		}
		all, starting := answers(got)
		left, some := c.Without(append(out, starting...), m.place.Clusters)
		if !some || len(starting) == 0 || len(starting) < len(got.Missed) {
			return c.Answer(all)
		}
		out, to = append(out, starting...), left
	}
}

// answers returns the answers of clusters, and which of them have not started.
func answers(got bot.GuestAnswers) (all []guest.Answered, starting []int) {
	for _, miss := range got.Missed {
		if miss.Err == guest.Starting {
			starting = append(starting, int(miss.Cluster))
		}
		all = append(all, guest.Answered{Cluster: int(miss.Cluster), Missing: miss.Err})
	}
	for _, value := range got.Values {
		one := guest.Answered{Cluster: int(value.Cluster)}
		var a answer
		if value.Err != nil || json.Unmarshal(value.Value, &a) != nil {
			one.Missing = "its host gave no answer that is one"
		}
		one.Result = a.Result
		all = append(all, one)
	}
	return all, starting
}

// respawn asks CONTROL for a rolling restart.
func (m *manager) respawn() {
	m.mu.Lock()
	due, first := time.Since(m.respawned) >= respawnRest, !m.ignored
	if due {
		m.respawned = time.Now()
	}
	m.ignored = !due
	m.mu.Unlock()
	switch {
	case !due && !first: // a loop must not fill the log
	case !due:
		m.log.Warn("respawnAll of the bot is ignored: it called it just before", "within", respawnRest.String())
	case m.cluster.RollingRestart():
		m.log.Info("the bot orders a rolling restart")
	default:
		m.log.Warn("respawnAll of the bot is ignored: CONTROL is away")
	}
}

// announce passes maintenance on to the bots that a call names.
func (m *manager) announce(c guest.Call) {
	got, err := m.cluster.AskGuests(context.Background(), targets(c.To), false, encodeRequest(request{Maintain: c.Maintain}), guest.Within)
	switch {
	case err != nil:
	case got.Thrown != nil:
		err = errors.New(got.Thrown.Message)
	case len(got.Missed) > 0:
		err = fmt.Errorf("cluster %s: %s", got.Missed[0].Cluster, got.Missed[0].Err)
	}
	if err != nil {
		m.log.Warn("maintenance does not reach every bot", "err", err)
	}
}

// maintain passes maintenance on to the bot.
func (m *manager) maintain(what guest.Maintain) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.run == nil {
		return errNotRunning
	}
	line := m.run.talk.Maintain(what)
	if line == nil {
		return nil
	}
	return m.run.channel.Send(line)
}
