package bot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/ipc"
)

const (
	managerID  messages.Snowflake = "14386345434290659167418524605215670272"
	instanceID messages.Snowflake = "14386345434600144177235209336163139585"
)

func goodEnvironment() map[string]string {
	return map[string]string{
		"DISCLUSTER_SOCKET": "/run/c/3", "SHARDING_MANAGER_IPC": string(managerID), "SHARDING_INSTANCE_IPC": string(instanceID),
		"CLUSTER_ID": "3", "CLUSTER_COUNT": "8", "MAX_CONCURRENCY": "1", "DISCORD_TOKEN": "secret",
	}
}

func lookupIn(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, set := env[name]; return v, set }
}

func want[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// world is the surroundings of a cluster in a bubble: its socket, its signals, its log.
type world struct {
	t      *testing.T
	env    map[string]string
	accept func(transport.Link)
	term   chan os.Signal
	log    bytes.Buffer
	from   time.Time

	mu        sync.Mutex
	listening bool
}

func newWorld(t *testing.T) *world {
	return &world{t: t, env: goodEnvironment(), term: make(chan os.Signal, 1), from: time.Now()}
}

// options makes Join use this world.
func (w *world) options(more ...Option) []Option {
	return append([]Option{func(o *options) {
		o.lookup = lookupIn(w.env)
		o.log = slog.New(slog.NewTextHandler(&w.log, nil))
		o.signals = func() (<-chan os.Signal, func()) { return w.term, func() {} }
		o.listen = func(path string, accept func(transport.Link)) (func(), error) {
			want(w.t, "path", path, w.env["DISCLUSTER_SOCKET"])
			w.mu.Lock()
			defer w.mu.Unlock()
			w.accept, w.listening = accept, true
			return func() { w.mu.Lock(); defer w.mu.Unlock(); w.listening = false }, nil
		}
	}}, more...)
}

// control is one connection of a scripted CONTROL: it does only what the test orders, and keeps
// what it receives, as texts.
type control struct {
	t    *testing.T
	in   chan []byte
	done chan struct{}
	once sync.Once
	end  error

	mu   sync.Mutex
	from time.Time
	sent []string
	asks []messages.Snowflake // ids of permit requests
	beat messages.IPCBeat     // the last
	busy bool                 // accepts no offers
}

// dial opens a connection to the cluster.
func (w *world) dial() *control {
	l := &control{t: w.t, in: make(chan []byte, 100), done: make(chan struct{}), from: w.from}
	synctest.Wait()
	w.mu.Lock()
	accept := w.accept
	w.mu.Unlock()
	accept(l)
	w.t.Cleanup(func() { l.hangUp(errors.New("the test is over")) })
	return l
}

func (l *control) Receive(frame func([]byte), closed func(error)) {
	go func() {
		for {
			select {
			case f := <-l.in:
				frame(f)
			case <-l.done:
				closed(l.end)
				return
			}
		}
	}()
}

func (l *control) Ack() {}

func (l *control) Offer(frame []byte) error {
	l.mu.Lock()
	busy := l.busy
	l.mu.Unlock()
	if busy {
		return transport.ErrBusy
	}
	return l.Send(frame)
}

func (l *control) Send(frame []byte) error {
	select {
	case <-l.done:
		return transport.ErrEnded
	default:
	}
	if len(frame) > ipc.MaxFrame {
		return transport.ErrTooLarge
	}
	m, err := ipc.DecodeFromInstance(frame)
	if err != nil {
		l.t.Errorf("cluster sent %s: %v", frame, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch m := m.(type) {
	case messages.PermitAsk:
		l.asks = append(l.asks, m.EventID)
	case messages.IPCBeat:
		l.beat = m
	}
	l.sent = append(l.sent, fmt.Sprintf("%s %s", time.Since(l.from).Round(time.Millisecond), words(m)))
	return nil
}

func (l *control) Close(_ int, reason string) { l.hangUp(errors.New(reason)) }

func (l *control) hangUp(err error) { l.once.Do(func() { l.end = err; close(l.done) }) }

// send sends a message to the cluster.
func (l *control) send(m messages.FromManager) {
	l.t.Helper()
	frame, err := ipc.EncodeFromManager(m)
	if err != nil {
		l.t.Fatal(err)
	}
	l.in <- frame
	synctest.Wait()
}

// heard returns what the cluster sent since the last call, each with its time since the world's
// start.
func (l *control) heard() []string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	sent := l.sent
	l.sent = nil
	return sent
}

// hears compares heard.
func (l *control) hears(lines ...string) {
	l.t.Helper()
	if got := l.heard(); !reflect.DeepEqual(got, lines) && len(got)+len(lines) > 0 {
		l.t.Errorf("cluster sent\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(lines, "\n  "))
	}
}

// lastAsk returns the id of the last permit request.
func (l *control) lastAsk() messages.Snowflake {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.asks) == 0 {
		l.t.Fatal("no permit was asked for")
	}
	return l.asks[len(l.asks)-1]
}

// answerBeats answers every heartbeat until the connection ends.
func (l *control) answerBeats(lease messages.Milliseconds) {
	go func() {
		var last messages.Snowflake
		for {
			select {
			case <-l.done:
				return
			case <-time.After(100 * time.Millisecond):
			}
			l.mu.Lock()
			beat := l.beat
			l.mu.Unlock()
			if beat.EventID != last {
				last = beat.EventID
				frame, _ := ipc.EncodeFromManager(messages.IPCBeat{ID: managerID, EventID: last, LeaseMS: lease})
				l.in <- frame
			}
		}
	}()
}

func hello() messages.Hello {
	return messages.Hello{ID: managerID, EventID: "77", HeartbeatIntervalMS: 5000, Shards: []int{6, 7}, TotalShards: 16, Protocol: 1}
}

func session(shard int, id string, seq int64) messages.Session {
	return messages.Session{Shard: shard, ShardCount: 16, SessionID: id, Seq: seq, ResumeGatewayURL: "wss://r", At: 1}
}

// words describes a packet in one short line.
func words(m messages.FromInstance) string {
	sessions := func(all []messages.Session) (text string) {
		for _, s := range all {
			text += fmt.Sprintf(" %d:%s@%d", s.Shard, s.SessionID, s.Seq)
			if s.Guilds != nil {
				text += fmt.Sprint(" in ", s.Guilds)
			}
		}
		return text
	}
	switch m := m.(type) {
	case messages.Identify:
		return fmt.Sprintf("IDENTIFY to %s %s %v of %d%s", m.EventID, m.State, m.Shards, m.ShardCount, sessions(m.Sessions))
	case messages.Connected:
		return "CONNECTED"
	case messages.Failure:
		return fmt.Sprintf("FAILURE %d %s", m.Error.Code, m.Error.Message)
	case messages.Destroying:
		return "DESTROYING " + string(m.EventID)
	case messages.InvalidSession:
		return "INVALID_SESSION"
	case messages.IPCBeat:
		return "HEARTBEAT"
	case messages.ShardStatus:
		text := fmt.Sprintf("SHARD %d %s", m.Shard, m.State)
		if m.CloseCode != 0 {
			text += fmt.Sprintf(" %d", m.CloseCode)
		}
		if m.Guilds != nil {
			text += fmt.Sprintf(", %d ms, %d guilds, %d events", m.LatencyMS, *m.Guilds, *m.Events)
		}
		if m.Waiting != nil {
			text += fmt.Sprintf(", %d wait %d ms, deaf %d ms", *m.Waiting, m.WaitingMS, m.DeafMS)
		}
		return text
	case messages.InstanceSessions:
		text := "SESSIONS" + sessions(m.Sessions)
		if len(m.Gone) > 0 {
			text += fmt.Sprintf(" gone %v", m.Gone)
		}
		return text
	case messages.PermitAsk:
		return fmt.Sprintf("PERMIT? %d %s", m.Shard, m.Cause)
	case messages.PermitSent:
		return fmt.Sprintf("PERMIT %d sent %t", m.Shard, m.Sent)
	case messages.Drained:
		return fmt.Sprintf("DRAINED %s%s", m.EventID, sessions(m.Sessions))
	}
	text, _ := json.Marshal(m)
	return string(text)
}

// member is a joined and running cluster of shards 6 and 7, whose functions only wait for the stop.
type member struct {
	*Cluster
	w     *world
	ended chan error
}

// join starts a cluster and sends it the first HELLO, and the second where it announced sessions.
func join(t *testing.T, w *world, h messages.Hello, serve func(context.Context, *Shard) error, opts ...Option) (*member, *control) {
	t.Helper()
	m := &member{w: w, ended: make(chan error, 1)}
	joined := make(chan error, 1)
	go func() {
		var err error
		m.Cluster, err = Join(t.Context(), w.options(opts...)...)
		joined <- err
	}()
	l := w.dial()
	l.send(h)
	if err := <-joined; err != nil {
		t.Fatal(err)
	}
	if m.opt.resume {
		if h.Sessions == nil {
			h.Sessions = &[]messages.Session{}
		}
		l.send(h)
	}
	if serve == nil {
		serve = func(context.Context, *Shard) error { <-m.Stopping(); return nil }
	}
	go func() { m.ended <- m.Run(t.Context(), serve) }()
	synctest.Wait()
	l.heard()
	return m, l
}

// shard returns the member's shard with the given id.
func (m *member) shard(id int) *Shard {
	for _, s := range m.shards {
		if s.id == id {
			return s
		}
	}
	return nil
}

// finish drains the cluster; call it before a bubble's end unless the cluster ended otherwise.
func (m *member) finish(l *control) {
	m.w.t.Helper()
	l.send(messages.Drain{EventID: "99"})
	want(m.w.t, "Run", <-m.ended, nil)
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	want(m.w.t, "listening", m.w.listening, false)
}
