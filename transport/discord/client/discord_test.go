package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/client"
	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/discord/server"
)

// free is a permit that is always good.
type free struct{}

func (free) Overdue() bool { return false }
func (free) Sent()         {}
func (free) Unused()       {}

// listen gives the addresses of a Discord that takes the token "good".
func listen(t *testing.T, d *server.Server) (base string, gateway func(context.Context) (string, error)) {
	t.Helper()
	base, err := d.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	gatewayURL, err := client.GatewayURL(t.Context(), base, "good")
	if err != nil {
		t.Fatal(err)
	}
	return base, func(context.Context) (string, error) { return gatewayURL, nil }
}

// TestAgainstDiscord lives through what the simulated Discord can do to a connection, over real
// sockets; no numbered event may be lost or come twice.
func TestAgainstDiscord(t *testing.T) {
	d := server.New(server.Config{Jitter: 5 * time.Millisecond, Rules: rules.Config{Token: "good", Guilds: 3, IdentifyEvery: time.Millisecond, HeartbeatInterval: 300 * time.Millisecond}})
	_, gateway := listen(t, d)
	kinds, states := make(chan string, 1000), make(chan string, 1000)
	c := client.New(client.Config{
		Token: "good", Gateway: gateway, ShardCount: 1, Intents: 1,
		Permit: func(context.Context, messages.IdentifyCause) (client.Permit, error) { return free{}, nil },
		State:  func(s messages.ShardState, code int) { states <- fmt.Sprint(s, " ", code) },
		Event: func(_ context.Context, e client.Event) {
			var m struct {
				Content string `json:"content"`
			}
			_ = json.Unmarshal(e.Data, &m)
			kinds <- e.Kind + m.Content
		},
	})
	ended := make(chan error, 1)
	go func() { ended <- c.Run(t.Context()) }()
	until := func(from <-chan string, wanted string) {
		t.Helper()
		timeout := time.After(20 * time.Second)
		for {
			select {
			case got := <-from:
				if got == wanted {
					return
				}
			case <-timeout:
				t.Fatalf("no %q", wanted)
			}
		}
	}
	until(states, "ready 0")
	for i, f := range []rules.Fault{
		{Kind: rules.FaultReconnect},
		{Kind: rules.FaultInvalidate, Resumable: true},
		{Kind: rules.FaultClose, Code: 4000},
		{Kind: rules.FaultClose, Code: rules.CloseVanished},
		{Kind: rules.FaultFreeze},
		{Kind: rules.FaultClose, Code: 4009},
	} {
		d.Emit(rules.Emit{Shard: rules.All})
		until(kinds, fmt.Sprint("MESSAGE_CREATE", i+1))
		if err := d.Fault(f); err != nil {
			t.Fatal(err)
		}
		until(states, "ready 0")
	}
	c.Close(time.Now().Add(5*time.Second), true)
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	s := d.Stats()
	got := fmt.Sprintf("identifies %d, resumes %d, refused %d, elsewhere %d, lost %d, doubled %d, sessions %d", s.Identifies, s.Resumes, s.ResumesRefused, s.ResumesElsewhere, s.Events.Lost, s.Events.Doubled, s.Sessions)
	if want := "identifies 2, resumes 5, refused 0, elsewhere 0, lost 0, doubled 0, sessions 0"; got != want {
		t.Errorf("Discord saw\n  %s\nwant\n  %s", got, want)
	}
}

// TestTokenReset: the token is refused in the middle of a life.
func TestTokenReset(t *testing.T) {
	d := server.New(server.Config{Rules: rules.Config{Token: "good"}})
	base, gateway := listen(t, d)
	ready := make(chan struct{}, 1)
	c := client.New(client.Config{
		Token: "good", Gateway: gateway, ShardCount: 1,
		Permit: func(context.Context, messages.IdentifyCause) (client.Permit, error) { return free{}, nil },
		State: func(s messages.ShardState, _ int) {
			if s == messages.ShardReady {
				ready <- struct{}{}
			}
		},
	})
	ended := make(chan error, 1)
	go func() { ended <- c.Run(t.Context()) }()
	<-ready
	if err := d.Fault(rules.Fault{Kind: rules.FaultRefuseToken}); err != nil {
		t.Fatal(err)
	}
	c.Reconnect()
	err := <-ended
	if fatal, ok := errors.AsType[*client.FatalError](err); !ok || fatal.CloseCode() != 4004 {
		t.Errorf("Run: %v", err)
	}
	if _, err := client.GatewayURL(t.Context(), base, "good"); err == nil {
		t.Error("REST takes the token")
	}
}
