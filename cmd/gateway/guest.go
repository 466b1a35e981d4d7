package gateway

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/bot"
	"github.com/discluster/control/transport/guest"
	"github.com/discluster/control/transport/proc"
)

// This file is the manager whose guest the bot is: it holds the channel to the bot, and asks it
// what other clusters ask.

const (
	channelFD = 3 // of the bot: its end of the channel,
	ownFD     = 4 // and a copy of ours, which outlives us

	respawnRest = 10 * time.Second // the least time between two rolling restarts that the bot orders
)

// manager is a manager of another library. Its methods are safe for concurrent use; without a guest
// they do nothing.
type manager struct {
	kind    guest.Kind
	log     *slog.Logger
	cluster *bot.Cluster
	place   guest.Place
	cut     string // a file that is there while a line is written that our death may cut
	open    *openCalls

	mu        sync.Mutex
	run       *guestRun // nil: no bot runs
	respawned time.Time
	ignored   bool // the last order of a rolling restart
	strayed   bool // a message for the program that started the manager was reported
}

// guestRun is the talk with one process of the bot.
type guestRun struct {
	of      *manager
	channel *guest.Channel

	// guarded by the manager's
	talk    *guest.Conversation
	waiting map[uint64]waiting // questions to the bot
	calls   int                // of the bot, without an answer,
	bytes   int                // and their size
	over    bool

	announced chan struct{} // closed once the last announcement of maintenance was passed on; of the reader
}

// waiting is a question of another cluster.
type waiting struct {
	answer func(json.RawMessage, *messages.FailureError)
	late   *time.Timer
}

func newManager(kind string, log *slog.Logger) (*manager, error) {
	m := &manager{kind: guest.Kind(cmp.Or(kind, string(guest.None))), log: log}
	switch m.kind {
	case guest.None, guest.DiscordJS, guest.Hybrid:
		return m, nil
	}
	return nil, fmt.Errorf("--guest %q: want %s, %s or %s", kind, guest.DiscordJS, guest.Hybrid, guest.None)
}

// options returns what the cluster needs to join.
func (m *manager) options() []bot.Option {
	if m.kind == guest.None {
		return nil
	}
	return []bot.Option{bot.Guest(m.asked)}
}

// serve sets the cluster, before the first run.
func (m *manager) serve(c *bot.Cluster, dir string) {
	m.cluster = c
	m.place = guest.Place{Cluster: int(c.ID()), Clusters: c.Count(), Shards: c.Shards(), ShardCount: c.ShardCount()}
	m.cut = filepath.Join(dir, "guest.cut")
	m.open = &openCalls{path: filepath.Join(dir, "guest.calls")}
}

// offer adds to a bot's start what makes it a guest. It returns the identity of our end of the
// channel, and what to call after the start.
func (m *manager) offer(spec *proc.Spec) (identity uint64, offered func(), err error) {
	if m.kind == guest.None {
		return 0, func() {}, nil
	}
	own, bots, err := guest.Pair()
	if err != nil {
		return 0, nil, err
	}
	_ = os.Remove(m.cut) // of an earlier run
	m.open.reset()
	if err := m.begin(own); err != nil {
		_, _ = own.Close(), bots.Close()
		return 0, nil, err
	}
	spec.Env = guest.Environment(spec.Env, m.kind, m.place, channelFD)
	spec.Files = []*os.File{channelFD - 3: bots, ownFD - 3: own}
	return guest.Identity(own), func() { _, _ = own.Close(), bots.Close() }, nil // the bot has both
}

// take takes the channel of a bot that an earlier host started, or returns why it cannot.
func (m *manager) take(pid int, identity uint64) string {
	if m.kind == guest.None {
		return ""
	}
	if _, err := os.Stat(m.cut); err == nil {
		return "its host died while it wrote to the bot's channel"
	}
	lost := m.open.lost()
	own, err := guest.Take(pid, ownFD, identity)
	if err == nil {
		defer func() { _ = own.Close() }() // the channel has a copy
		m.open.reset()
		err = m.begin(own)
	}
	if err != nil {
		return fmt.Sprintf("this host cannot take over its channel: %v", err)
	}
	m.mu.Lock()
	r := m.run
	m.mu.Unlock()
	if r != nil { // else the bot is gone
		go func() {
			for _, key := range lost {
				if line := guest.Lost(key); line != nil {
					_ = r.channel.SendWaiting(line, nil)
				}
			}
		}()
	}
	return ""
}

// begin begins the talk with a process of the bot.
func (m *manager) begin(own *os.File) error {
	r := &guestRun{of: m, talk: guest.NewConversation(m.kind, m.place, rand.Text()[:8]), waiting: map[uint64]waiting{}}
	m.mu.Lock() // lines wait until run is set
	defer m.mu.Unlock()
	channel, err := guest.Open(own, guest.Handler{
		Line:  r.line,
		Long:  func() { m.log.Warn("message of the bot is dropped: it is too long", "max_bytes", guest.LongMax) },
		Ended: func(error) { m.end(r, errors.New("its bot died before it answered, or closed its channel")) },
		Cuts:  m.cuts,
	})
	if err != nil {
		return err
	}
	r.channel, m.run = channel, r
	return nil
}

// cuts keeps a file while our death may cut a line of the bot's.
func (m *manager) cuts(begins bool) {
	if begins {
		_ = os.WriteFile(m.cut, nil, 0o600) // on a full disk the bot may die of it
	} else {
		_ = os.Remove(m.cut)
	}
}

// ended ends the talk with the bot that runs: its process is gone.
func (m *manager) ended() {
	m.mu.Lock()
	r := m.run
	m.mu.Unlock()
	if r != nil {
		m.end(r, errors.New("its bot died before it answered"))
	}
}

// hangUp ends the channel of a bot that stops: a program on node does not end while it has one.
func (m *manager) hangUp() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.run != nil {
		m.run.channel.HangUp()
	}
}

// end ends a talk: the questions to the bot fail.
func (m *manager) end(r *guestRun, why error) {
	m.mu.Lock()
	if m.run == r {
		m.run = nil
	}
	open := r.waiting
	r.waiting, r.over = map[uint64]waiting{}, true
	m.mu.Unlock()
	r.channel.Close()
	for _, w := range open {
		w.late.Stop()
		w.answer(nil, m.failure(why))
	}
}

// errNotRunning reports that no process of the bot runs.
var errNotRunning = errors.New("its bot does not run")

// failure returns why this cluster has no answer, in the form of what a bot throws; nil for nil.
func (m *manager) failure(why error) *messages.FailureError {
	if why == nil {
		return nil
	}
	return &messages.FailureError{Name: "Error", Message: fmt.Sprintf("cluster %d: %v", m.place.Cluster, why)}
}

// thrown returns what a bot threw, as it travels; nil for nil.
func thrown(e *guest.Error) *messages.FailureError {
	if e == nil {
		return nil
	}
	return &messages.FailureError{Name: e.Name, Message: e.Message, Stack: e.Stack}
}

// asked handles a question, or a request, of another cluster's host.
func (m *manager) asked(c bot.GuestCall) {
	q := guest.Question{Script: c.Data}
	if !c.Eval {
		var r request
		switch err := json.Unmarshal(c.Data, &r); {
		case err != nil:
			c.Answer(nil, m.failure(fmt.Errorf("its host cannot read the request: %w", err)))
			return
		case r.Maintain != nil:
			c.Answer(json.RawMessage("{}"), m.failure(m.maintain(*r.Maintain)))
			return
		case r.Read == nil:
			c.Answer(nil, m.failure(errors.New("its host does not know this request")))
			return
		}
		q = guest.Question{Path: *r.Read}
	}
	m.mu.Lock()
	r := m.run
	if r == nil {
		m.mu.Unlock()
		c.Answer(nil, m.failure(errNotRunning))
		return
	}
	id, line, bad := r.talk.Ask(q)
	var err error
	if bad == nil && line != nil {
		if err = r.channel.Send(line); err != nil {
			r.talk.Forget(id)
		}
	}
	if bad == nil && err == nil {
		late := time.AfterFunc(c.Within, func() { r.tooLate(id) })
		r.waiting[id] = waiting{c.Answer, late}
	}
	m.mu.Unlock()
	switch {
	case bad != nil:
		c.Answer(nil, thrown(bad))
	case err != nil:
		c.Answer(nil, m.failure(err))
	}
}

// tooLate ends the wait for an answer of the bot.
func (r *guestRun) tooLate(id uint64) {
	r.of.mu.Lock()
	w, waits := r.waiting[id]
	delete(r.waiting, id)
	r.talk.Forget(id)
	r.of.mu.Unlock()
	if waits {
		w.answer(nil, r.of.failure(errors.New("its bot did not answer in time")))
	}
}

// line handles a line of the bot.
func (r *guestRun) line(line []byte) {
	m := r.of
	m.mu.Lock()
	got := r.talk.Read(line)
	var answered []waiting
	if reply, is := got.(guest.Reply); is {
		for _, id := range reply.IDs {
			if w, waits := r.waiting[id]; waits {
				delete(r.waiting, id)
				answered = append(answered, w)
			}
		}
	}
	m.mu.Unlock()
	switch got := got.(type) {
	case guest.Reply:
		for _, w := range answered {
			w.late.Stop()
			w.answer(writeResult(got.Result), thrown(got.Err))
		}
	case guest.Call:
		r.call(got, len(line))
	case guest.Send:
		_ = r.channel.SendWaiting(got.Line, nil) // a bot that is gone waits for nothing
	case guest.Notice:
		m.log.Debug("the bot reports to its manager", "what", got.What)
	case guest.Stray:
		m.stray()
	}
}

// stray reports the first message to the program that started the manager.
func (m *manager) stray() {
	m.mu.Lock()
	first := !m.strayed
	m.strayed = true
	m.mu.Unlock()
	if first {
		m.log.Warn("message of the bot is dropped, and so are later ones: CONTROL is its manager, and no program listens there", "guest", string(m.kind))
	}
}
