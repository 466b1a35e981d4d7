package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/discord/server"
	"github.com/discluster/control/transport/ipc"
)

const testManager messages.Snowflake = "14386345434290659167418524605215670272"

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// boss is a scripted CONTROL of one cluster with shards 0 and 1, over a real socket. It grants every permit and answers every heartbeat.
type boss struct {
	t     *testing.T
	link  transport.Link
	said  chan messages.FromInstance // what the cluster said, heartbeats and permits apart
	asked int                        // permits; read once the cluster has ended
	gone  chan struct{}
	ended chan error // what runBot returned
}

// employ starts a reference bot and greets it, the second time with sessions.
func employ(t *testing.T, api, token string, sessions ...messages.Session) *boss {
	t.Helper()
	dir, err := os.MkdirTemp("", "b") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	for name, value := range map[string]string{
		"DISCLUSTER_SOCKET": socket, "SHARDING_MANAGER_IPC": string(testManager), "SHARDING_INSTANCE_IPC": "14386345434600144177235209336163139585",
		"CLUSTER_ID": "0", "CLUSTER_COUNT": "1", "MAX_CONCURRENCY": "2", "DISCORD_TOKEN": token, "DISCORD_API": api,
	} {
		t.Setenv(name, value)
	}
	b := &boss{t: t, said: make(chan messages.FromInstance, 1000), gone: make(chan struct{}), ended: make(chan error, 1)}
	go func() { b.ended <- runBot(t.Context(), io.Discard) }()
	b.dial(socket)
	hello := messages.Hello{ID: testManager, EventID: "1", HeartbeatIntervalMS: 5000, Shards: []int{0, 1}, TotalShards: 2, Protocol: 1}
	b.send(hello)
	expect[messages.Identify](b)
	hello.Sessions = &sessions
	b.send(hello)
	return b
}

// dial opens the link as soon as the bot listens.
func (b *boss) dial(socket string) {
	b.t.Helper()
	until := time.Now().Add(patience)
	type dialled struct {
		link transport.Link
		err  error
	}
	for {
		done := make(chan dialled, 1)
		ipc.Dial(socket, func(l transport.Link, err error) { done <- dialled{l, err} })
		d := <-done
		if d.err == nil {
			b.link = d.link
			d.link.Receive(b.hear, func(error) { close(b.gone) })
			return
		}
		if time.Now().After(until) {
			b.t.Fatal(d.err)
		}
	}
}

// hear is one packet from the cluster.
func (b *boss) hear(frame []byte) {
	defer b.link.Took()
	m, err := ipc.DecodeFromInstance(bytes.Clone(frame))
	if err != nil {
		b.t.Errorf("cluster said %s: %v", frame, err)
	}
	switch m := m.(type) {
	case messages.IPCBeat:
		b.send(messages.IPCBeat{ID: testManager, EventID: m.EventID})
	case messages.PermitAsk:
		b.asked++
		b.send(messages.PermitGrant{EventID: m.EventID, Shard: m.Shard, Granted: true, UseWithinMS: 5000})
	default:
		b.said <- m
	}
}

func (b *boss) send(m messages.FromManager) {
	frame, err := ipc.EncodeFromManager(m)
	if err == nil {
		err = b.link.Send(frame)
	}
	if err != nil && !errors.Is(err, transport.ErrEnded) {
		b.t.Errorf("send %T: %v", m, err)
	}
}

// expect awaits the cluster's next packet of type M; others are passed over.
func expect[M messages.FromInstance](b *boss) M {
	b.t.Helper()
	return await(b, func(M) bool { return true })
}

// await awaits the cluster's next packet of type M that is good.
func await[M messages.FromInstance](b *boss, good func(M) bool) M {
	b.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case m := <-b.said:
			if m, ok := m.(M); ok && good(m) {
				return m
			}
		case <-timeout:
			var m M
			b.t.Fatalf("no %T within %s", m, patience)
		}
	}
}

// leave awaits the end of the bot.
func (b *boss) leave() error {
	b.t.Helper()
	select {
	case err := <-b.ended:
		<-b.gone
		return err
	case <-time.After(patience):
		b.t.Fatalf("the bot has not ended within %s", patience)
		return nil
	}
}

func discord(t *testing.T) (*server.Server, string) {
	t.Helper()
	s := server.New(server.Config{Rules: rules.Config{Token: "good", ShardCount: 2, MaxConcurrency: 2, Guilds: 6}})
	base, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, base
}

// TestReferenceBot is the life of a cluster and of its successor: identify, serve, reconnect, drain; resume without a permit, destroy.
func TestReferenceBot(t *testing.T) {
	d, api := discord(t)
	b := employ(t, api, "good")
	before := expect[messages.InstanceSessions](b).Sessions[0]
	expect[messages.Connected](b)
	ready := func(shard int) func(messages.ShardStatus) bool {
		return func(m messages.ShardStatus) bool { return m.Shard == shard && m.State == messages.ShardReady }
	}
	b.send(messages.Reconnect{EventID: "2", Shard: 1})
	await(b, ready(1))
	d.Emit(rules.Emit{Shard: before.Shard})
	await(b, func(m messages.InstanceSessions) bool {
		return slices.ContainsFunc(m.Sessions, func(s messages.Session) bool { return s.Shard == before.Shard && s.Seq > before.Seq })
	})
	b.send(messages.Drain{EventID: "3", DeadlineMS: 5000})
	drained := expect[messages.Drained](b)
	if err := b.leave(); err != nil || len(drained.Sessions) != 2 {
		t.Fatalf("runBot: %v, drained with %v", err, drained.Sessions)
	}
	d.Emit(rules.Emit{Shard: 0}) // nobody is there to hear it

	next := employ(t, api, "good", drained.Sessions...)
	await(next, func(m messages.ShardStatus) bool { return m.State == messages.ShardResuming })
	expect[messages.Connected](next)
	next.send(messages.Destroying{EventID: "4"})
	expect[messages.Destroying](next)
	if err := next.leave(); err != nil {
		t.Errorf("runBot: %v", err)
	}
	score := d.Stats()
	got := fmt.Sprintf("permits %d+%d, identifies %d, violations %d, resumes %d, refused %d, elsewhere %d, duplicates %d, lost %d, sessions %d",
		b.asked, next.asked, score.Identifies, score.Violations, score.Resumes, score.ResumesRefused, score.ResumesElsewhere, score.Duplicates, score.Events.Lost, score.Sessions)
	if want := "permits 2+0, identifies 2, violations 0, resumes 3, refused 0, elsewhere 0, duplicates 0, lost 0, sessions 0"; got != want {
		t.Errorf("Discord saw\n  %s\nwant\n  %s", got, want)
	}
}

// TestReferenceBotFails: what no restart cures is told with its code.
func TestReferenceBotFails(t *testing.T) {
	for _, test := range []struct {
		name, token string
		fault       *rules.Fault // once it serves
		code        int
		text        string
	}{
		{"REST refuses the token", "bad", nil, 4004, "Invalid token provided"},
		{"the gateway does", "good", &rules.Fault{Kind: rules.FaultClose, Shard: 1, Code: 4014}, 4014, "shard 1: shard can not be connected because it received close code 4014"},
		{"no token", "", nil, 0, "no token: neither DISCORD_TOKEN nor HELLO brought one"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, api := discord(t)
			b := employ(t, api, test.token)
			if test.fault != nil {
				expect[messages.Connected](b)
				if err := d.Fault(*test.fault); err != nil {
					t.Fatal(err)
				}
			}
			f := expect[messages.Failure](b)
			if f.Error.Code != test.code || !strings.Contains(f.Error.Message, test.text) {
				t.Errorf("FAILURE %+v, want code %d and %q", f.Error, test.code, test.text)
			}
			if err := b.leave(); err == nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("runBot: %v", err)
			}
		})
	}
}

// TestReferenceBotInOutage: a Discord that is away is waited for, and a drain does not wait for it.
func TestReferenceBotInOutage(t *testing.T) {
	d, api := discord(t)
	if err := d.Fault(rules.Fault{Kind: rules.FaultOutageOn}); err != nil {
		t.Fatal(err)
	}
	b := employ(t, api, "good")
	await(b, func(m messages.ShardStatus) bool { return m.State == messages.ShardDisconnected })
	b.send(messages.Drain{EventID: "3", DeadlineMS: 20_000})
	expect[messages.Drained](b)
	if err := b.leave(); err != nil {
		t.Errorf("runBot: %v", err)
	}
}
