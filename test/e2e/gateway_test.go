package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/client"
)

// counts is a bot that knows nothing of Discluster, and keeps no session: it prints each numbered
// message.
func counts() int {
	var shards []int
	err := json.Unmarshal([]byte(os.Getenv("SHARDS")), &shards)
	count, countErr := strconv.Atoi(os.Getenv("SHARD_COUNT"))
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
			Token: secret, Shard: id, ShardCount: count, Intents: 513,
			Gateway: func(context.Context) (string, error) { return gateway, nil },
			Permit:  func(context.Context, messages.IdentifyCause) (client.Permit, error) { return leave{}, nil },
			Event: func(_ context.Context, e client.Event) {
				var m struct{ Content string }
				if e.Kind == "MESSAGE_CREATE" && json.Unmarshal(e.Data, &m) == nil {
					fmt.Println("message", os.Getpid(), id, m.Content)
				}
			},
		})
		go func() { ended <- cl.Run(ctx) }()
	}
	for range shards {
		<-ended
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
