package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/bot"
	"github.com/discluster/control/transport/discord/client"
)

// counts is a bot that knows nothing of Discluster, and keeps no session: it prints each numbered
// message.
func counts() int {
	var shards []int
	err := json.Unmarshal([]byte(os.Getenv("SHARDS")), &shards)
	total, countErr := strconv.Atoi(os.Getenv("SHARD_COUNT"))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	secret := messages.Secret(os.Getenv("DISCORD_TOKEN"))
	gateway, getErr := client.GatewayURL(ctx, os.Getenv("DISCORD_API"), secret)
	if err := cmp.Or(err, countErr, getErr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ended := make(chan error, len(shards))
	for _, id := range shards {
		cl := client.New(client.Config{
			Token: secret, Shard: id, ShardCount: total, Intents: 513,
			Gateway: func(context.Context) (string, error) { return gateway, nil },
			Permit:  func(context.Context, messages.IdentifyCause) (client.Permit, error) { return leave{}, nil },
			Event:   func(_ context.Context, e client.Event) { count(id, e) },
		})
		go func() { ended <- cl.Run(ctx) }()
	}
	for range shards {
		<-ended
	}
	return 0
}

// count prints a numbered message.
func count(shard int, e client.Event) {
	var m struct{ Content string }
	if e.Kind == "MESSAGE_CREATE" && json.Unmarshal(e.Data, &m) == nil {
		fmt.Println("message", os.Getpid(), shard, m.Content)
	}
}

// asksBehind is the bot asks behind a gateway host: its shards are connected to the host.
func asksBehind() int {
	ctx := context.Background()
	c, err := joinAsking(ctx)
	if err == nil {
		err = c.Run(ctx, func(ctx context.Context, s *bot.Shard) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			go func() { <-c.Stopping(); cancel() }()
			if s.ID() == c.Shards()[0] {
				go askPIDs(ctx, c)
			}
			return client.New(client.Config{
				Token: c.Token(), Shard: s.ID(), ShardCount: s.Count(), Intents: 513,
				Gateway: func(ctx context.Context) (string, error) {
					return client.GatewayURL(ctx, os.Getenv("DISCORD_API"), c.Token())
				},
				Permit: func(ctx context.Context, cause messages.IdentifyCause) (client.Permit, error) {
					return s.Permit(ctx, cause)
				},
				Event: func(_ context.Context, e client.Event) { count(s.ID(), e) },
			}).Run(ctx)
		})
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if left := time.Until(c.Stop().Deadline); left < time.Minute {
		fmt.Println(c.ID(), "drained,", left.Round(time.Second), "left")
	}
	return 0
}

// pastVariable is Discord's address for the role "past".
const pastVariable = "E2E_DISCORD"

// past is the bot counts, which knows where Discord is, whatever CONTROL sets.
func past() int {
	if err := os.Setenv("DISCORD_API", os.Getenv(pastVariable)); err != nil {
		return 1
	}
	return counts()
}
