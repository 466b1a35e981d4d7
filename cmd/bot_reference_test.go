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

// waitLimit bounds every wait of these tests.
const waitLimit = 20 * time.Second

// fakeControl is a scripted CONTROL of one cluster with shards 0 and 1, over a real socket. It
// grants every permit and answers every heartbeat.
type fakeControl struct {
	t       *testing.T
	link    transport.Link
	packets chan messages.FromInstance // what the cluster sent, without heartbeats and permits
	permits int                        // asked for; read after the cluster has ended
	gone    chan struct{}
	ended   chan error // what runBot returned
}

// startBot starts a reference bot and sends it HELLO twice, the second time with sessions.
func startBot(t *testing.T, api, token string, sessions ...messages.Session) *fakeControl {
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
	b := &fakeControl{t: t, packets: make(chan messages.FromInstance, 1000), gone: make(chan struct{}), ended: make(chan error, 1)}
	go func() { b.ended <- runBot(t.Context(), io.Discard) }()
	b.dial(socket)
	hello := messages.Hello{ID: testManager, EventID: "1", HeartbeatIntervalMS: 5000, Shards: []int{0, 1}, TotalShards: 2, Protocol: 1}
	b.send(hello)
	expect[messages.Identify](b)
	hello.Sessions = &sessions
	b.send(hello)
	return b
}

// dial opens the link when the bot listens.
func (b *fakeControl) dial(socket string) {
	b.t.Helper()
	until := time.Now().Add(waitLimit)
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
			d.link.Receive(b.receive, func(error) { close(b.gone) })
			return
		}
		if time.Now().After(until) {
			b.t.Fatal(d.err)
		}
	}
}

// receive handles one packet from the cluster.
func (b *fakeControl) receive(frame []byte) {
	defer b.link.Ack()
	m, err := ipc.DecodeFromInstance(bytes.Clone(frame))
	if err != nil {
		b.t.Errorf("cluster sent %s: %v", frame, err)
	}
	switch m := m.(type) {
	case messages.IPCBeat:
		b.send(messages.IPCBeat{ID: testManager, EventID: m.EventID})
	case messages.PermitAsk:
		b.permits++
		b.send(messages.PermitGrant{EventID: m.EventID, Shard: m.Shard, Granted: true, UseWithinMS: 5000})
	default:
		b.packets <- m
	}
}

func (b *fakeControl) send(m messages.FromManager) {
	frame, err := ipc.EncodeFromManager(m)
	if err == nil {
		err = b.link.Send(frame)
	}
	if err != nil && !errors.Is(err, transport.ErrEnded) {
		b.t.Errorf("send %T: %v", m, err)
	}
}

// expect waits for the cluster's next packet of type M and skips others.
func expect[M messages.FromInstance](b *fakeControl) M {
	b.t.Helper()
	return await(b, func(M) bool { return true })
}

// await waits for the cluster's next packet of type M that is good and skips others.
func await[M messages.FromInstance](b *fakeControl, good func(M) bool) M {
	b.t.Helper()
	timeout := time.After(waitLimit)
	for {
		select {
		case m := <-b.packets:
			if m, ok := m.(M); ok && good(m) {
				return m
			}
		case <-timeout:
			var m M
			b.t.Fatalf("no %T within %s", m, waitLimit)
		}
	}
}

// waitEnd waits for the end of the bot and returns its error.
func (b *fakeControl) waitEnd() error {
	b.t.Helper()
	select {
	case err := <-b.ended:
		<-b.gone
		return err
	case <-time.After(waitLimit):
		b.t.Fatalf("the bot has not ended within %s", waitLimit)
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

// The first cluster identifies, serves, reconnects and drains; the next one resumes without a
// permit and is destroyed.
func TestReferenceBot(t *testing.T) {
	d, api := discord(t)
	b := startBot(t, api, "good")
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
	if err := b.waitEnd(); err != nil || len(drained.Sessions) != 2 {
		t.Fatalf("runBot: %v, drained with %v", err, drained.Sessions)
	}
	d.Emit(rules.Emit{Shard: 0}) // while no bot is connected

	next := startBot(t, api, "good", drained.Sessions...)
	await(next, func(m messages.ShardStatus) bool { return m.State == messages.ShardResuming })
	expect[messages.Connected](next)
	next.send(messages.Destroying{EventID: "4"})
	expect[messages.Destroying](next)
	if err := next.waitEnd(); err != nil {
		t.Errorf("runBot: %v", err)
	}
	score := d.Stats()
	got := fmt.Sprintf("permits %d+%d, identifies %d, violations %d, resumes %d, refused %d, elsewhere %d, duplicates %d, lost %d, sessions %d",
		b.permits, next.permits, score.Identifies, score.Violations, score.Resumes, score.ResumesRefused, score.ResumesElsewhere, score.Duplicates, score.Events.Lost, score.Sessions)
	if want := "permits 2+0, identifies 2, violations 0, resumes 3, refused 0, elsewhere 0, duplicates 0, lost 0, sessions 0"; got != want {
		t.Errorf("Discord saw\n  %s\nwant\n  %s", got, want)
	}
}

// A failure that no restart cures is reported with its code.
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
			b := startBot(t, api, test.token)
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
			if err := b.waitEnd(); err == nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("runBot: %v", err)
			}
		})
	}
}

// The bot waits for a Discord that is away; a drain does not.
func TestReferenceBotInOutage(t *testing.T) {
	d, api := discord(t)
	if err := d.Fault(rules.Fault{Kind: rules.FaultOutageOn}); err != nil {
		t.Fatal(err)
	}
	b := startBot(t, api, "good")
	await(b, func(m messages.ShardStatus) bool { return m.State == messages.ShardDisconnected })
	b.send(messages.Drain{EventID: "3", DeadlineMS: 20_000})
	expect[messages.Drained](b)
	if err := b.waitEnd(); err != nil {
		t.Errorf("runBot: %v", err)
	}
}
