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

// call carries out a call of the bot.
func (r *guestRun) call(c guest.Call) {
	m := r.of
	switch {
	case c.Refused != nil:
		r.answer(c, c.Fail(*c.Refused), nil)
	case c.Respawn:
		m.respawn()
	case c.Maintain != nil:
		go m.announce(c)
	case !r.takes():
		r.answer(c, c.Fail(guest.Failed(fmt.Errorf("the bot has %d calls without an answer already", guest.OpenMax))), nil)
	default:
		n := m.open.begin(c.Key())
		go func() {
			line := m.ask(c)
			m.mu.Lock()
			r.calls--
			m.mu.Unlock()
			r.answer(c, line, func() { m.open.end(n) })
		}()
	}
}

// takes reports whether the bot may make another call, and counts it.
func (r *guestRun) takes() bool {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	if r.calls >= guest.OpenMax {
		return false
	}
	r.calls++
	return true
}

// answer sends an answer, or if the bot has no room for it, an error. written is called once the
// bot may read it; it may be nil.
func (r *guestRun) answer(c guest.Call, line []byte, written func()) {
	err := r.channel.SendThen(line, written)
	if errors.Is(err, guest.ErrBusy) {
		err = r.channel.SendThen(c.Fail(guest.Failed(fmt.Errorf("the answer has %d bytes, and %w", len(line), err))), written)
	}
	if err != nil && !errors.Is(err, guest.ErrEnded) {
		r.of.log.Warn("answer to the bot is lost", "err", err)
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
	due := time.Since(m.respawned) >= respawnRest
	if due {
		m.respawned = time.Now()
	}
	m.mu.Unlock()
	switch {
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
