// Command hosted-disgo is a disgo bot behind a gateway host, with the shards that CONTROL names. It
// prints "guild PID ID" for each guild and "message PID SHARD CONTENT" for each message.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/disgoorg/disgo"
	"github.com/disgoorg/disgo/bot"
	"github.com/disgoorg/disgo/events"
	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/disgo/sharding"

	"github.com/discluster/control/test/foreign/stage"
)

const intents = gateway.IntentGuilds | gateway.IntentGuildMessages | gateway.IntentMessageContent

func main() { stage.Exit(run()) }

func run() error {
	ids, count, err := stage.Shards()
	if err != nil {
		return err
	}
	client, err := disgo.New(os.Getenv("DISCORD_TOKEN"),
		bot.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))),
		bot.WithRestClientConfigOpts(rest.WithURL(os.Getenv("DISCORD_API")+"/api/v10")),
		bot.WithShardManagerConfigOpts(
			sharding.WithShardIDs(ids...),
			sharding.WithShardCount(count),
			sharding.WithGatewayConfigOpts(gateway.WithIntents(intents)),
		),
		bot.WithEventListenerFunc(func(e *events.GuildReady) {
			stage.Say("guild", os.Getpid(), e.GuildID)
		}),
		bot.WithEventListenerFunc(func(e *events.GuildMessageCreate) {
			stage.Say("message", os.Getpid(), e.ShardID(), e.Message.Content)
		}),
	)
	if err != nil {
		return err
	}
	if err := client.OpenShardManager(context.Background()); err != nil {
		return err
	}
	select {} // until it is killed
}
