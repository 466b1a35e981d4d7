package gateway

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/bot"
	"github.com/discluster/control/transport/ipc"
)

// This file puts a host between a CONTROL and a bot, in one process and on real sockets.

// Ids of the tests: the bot knows another manager than its host, as after a restart of CONTROL.
const (
	hostManager = messages.Snowflake("14386345434290659167418524605215670272")
	botManager  = messages.Snowflake("14386345434290659167418524605215670273")
	instance    = messages.Snowflake("14386345434600144177235209336163139585")
)

const soon = 20 * time.Second // for what happens at once

// wire is the bare end of a link.
type wire struct {
	t    *testing.T
	link transport.Link
	got  chan string // its frames' data
	end  chan error
}

func newWire(t *testing.T, link transport.Link) *wire {
	w := &wire{t, link, make(chan string, 5000), make(chan error, 1)}
	link.Receive(func(frame []byte) {
		data, _ := strings.CutPrefix(string(frame), `{"type":"__DDOO__.MESSAGE","data":`)
		w.got <- strings.TrimSuffix(data, "}")
		link.Ack()
	}, func(err error) { w.end <- err })
	return w
}

func (w *wire) say(data string) {
	w.t.Helper()
	if err := w.link.Send([]byte(`{"type":"__DDOO__.MESSAGE","data":` + data + `}`)); err != nil {
		w.t.Fatal(err)
	}
}

// hears waits for a frame that begins with a text, and returns it; heartbeats are passed over.
func (w *wire) hears(begin string) string {
	w.t.Helper()
	for late := time.After(soon); ; {
		select {
		case data := <-w.got:
			if strings.HasPrefix(data, begin) {
				return data
			}
			if !strings.HasPrefix(data, `{"op":7,`) {
				w.t.Fatalf("got %.300s, want %s", data, begin)
			}
		case err := <-w.end:
			w.t.Fatalf("the link ended: %v; want %s", err, begin)
		case <-late:
			w.t.Fatalf("nothing came, want %s", begin)
		}
	}
}

// eventOf returns the event_id of a frame.
func eventOf(data string) string {
	_, rest, _ := strings.Cut(data, `"event_id":"`)
	event, _, _ := strings.Cut(rest, `"`)
	return event
}

// machine is the process of a cluster whose environment is given.
func machine(id messages.Snowflake, socket string) bot.Option {
	env := map[string]string{"DISCLUSTER_SOCKET": socket, "SHARDING_MANAGER_IPC": string(id), "SHARDING_INSTANCE_IPC": string(instance),
		"CLUSTER_ID": "3", "CLUSTER_COUNT": "5", "MAX_CONCURRENCY": "2"}
	return bot.On(bot.Machine{
		Lookup: func(name string) (string, bool) { value, set := env[name]; return value, set }, Listen: ipc.Listen,
		Signals: func() (<-chan os.Signal, func()) { return nil, func() {} }, Wall: time.Now, Uptime: ipc.Uptime,
	})
}

// behind is a host between a CONTROL and a bot, without Discord.
type behind struct {
	t       *testing.T
	dir     string
	talk    *talk
	host    *bot.Cluster
	control *wire
	end     func()
}

func newBehind(t *testing.T) *behind {
	t.Helper()
	dir, err := os.MkdirTemp("", "") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	b := &behind{t: t, dir: dir}
	b.begin()
	return b
}

// begin starts a host, and a CONTROL for it.
func (b *behind) begin() {
	b.t.Helper()
	log := slog.New(slog.DiscardHandler)
	b.talk = newTalk(log)
	joined := make(chan error, 1)
	go func() {
		c, err := bot.Join(b.t.Context(), machine(hostManager, filepath.Join(b.dir, "host")), bot.Log(log), bot.Relay(b.talk.deliver),
			bot.Handle("host", func(context.Context, bot.Request) (any, error) { return "the host", nil }))
		b.host, b.talk.cluster = c, c
		joined <- err
	}()
	b.control = nil
	for late := time.After(soon); b.control == nil; {
		dialled := make(chan transport.Link, 1)
		ipc.Dial(filepath.Join(b.dir, "host"), func(l transport.Link, _ error) { dialled <- l })
		if l := <-dialled; l != nil {
			b.control = newWire(b.t, l)
		}
		select {
		case <-late:
			b.t.Fatal("the host does not listen")
		default:
		}
	}
	b.greet()
	if err := <-joined; err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran, served := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ran)
		_ = b.host.Run(ctx, func(ctx context.Context, s *bot.Shard) error { <-b.host.Stopping(); return nil })
	}()
	go func() { defer close(served); b.talk.serve(ctx, b.socket(), botManager) }()
	b.end = func() { cancel(); <-ran; <-served }
	b.t.Cleanup(func() { b.end() })
}

// greet sends CONTROL's HELLO.
func (b *behind) greet() {
	b.t.Helper()
	b.control.say(`{"op":2,"d":{"id":"` + string(hostManager) + `","event_id":"1","heartbeat_interval":60000,"shards":[6,7],"total_shards":10,"protocol":1}}`)
	b.control.hears(`{"op":1,"d":{"id":"` + string(instance))
}

// socket returns the path at which the bot listens.
func (b *behind) socket() string { return filepath.Join(b.dir, "bot") }

// joins starts a bot on the SDK.
func (b *behind) joins(options ...bot.Option) *bot.Cluster {
	b.t.Helper()
	c, err := bot.Join(b.t.Context(), append(options, machine(botManager, b.socket()), bot.Log(slog.New(slog.DiscardHandler)))...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.linked()
	return c
}

// linked waits until the host has a bot.
func (b *behind) linked() {
	b.t.Helper()
	for late := time.After(soon); ; {
		b.talk.mu.Lock()
		there := b.talk.conn != nil
		b.talk.mu.Unlock()
		if there {
			return
		}
		select {
		case <-late:
			b.t.Fatal("there is no link")
		case <-time.After(time.Millisecond):
		}
	}
}

// bare starts a bot without the SDK, which answers HELLO.
func (b *behind) bare() *wire {
	b.t.Helper()
	links := make(chan transport.Link, 1)
	stop, err := ipc.Listen(b.socket(), func(l transport.Link) { links <- l })
	if err != nil {
		b.t.Fatal(err)
	}
	defer stop()
	var w *wire
	select {
	case l := <-links:
		w = newWire(b.t, l)
	case <-time.After(soon):
		b.t.Fatal("the host does not connect")
	}
	event := eventOf(w.hears(`{"op":2,"d":{"id":"` + string(botManager)))
	w.say(`{"op":1,"d":{"id":"` + string(instance) + `","event_id":"` + event + `","protocol":1,"features":["drain"]}}`)
	b.linked()
	return w
}
