// Command hosted-arikawa is an arikawa bot, which speaks v9, behind a gateway host, with the shards
// that CONTROL names. It prints "guild PID ID" for each guild and "message PID SHARD CONTENT" for
// each message.
package main

import (
	"context"
	"os"

	"github.com/diamondburned/arikawa/v3/api"
	"github.com/diamondburned/arikawa/v3/gateway"
	"github.com/diamondburned/arikawa/v3/session"

	"github.com/discluster/control/test/foreign/stage"
)

const intents = gateway.IntentGuilds | gateway.IntentGuildMessages | gateway.IntentMessageContent

func main() { stage.Exit(run(context.Background())) }

func run(ctx context.Context) error {
	api.EndpointGatewayBot = os.Getenv("DISCORD_API") + "/api/v9/gateway/bot"
	ids, count, err := stage.Shards()
	if err != nil {
		return err
	}
	for _, id := range ids {
		identify := gateway.DefaultIdentifyCommand("Bot " + os.Getenv("DISCORD_TOKEN"))
		identify.Shard = &gateway.Shard{id, count}
		s := session.NewWithIdentifier(gateway.NewIdentifier(identify))
		s.AddIntents(intents)
		s.AddSyncHandler(func(e *gateway.GuildCreateEvent) {
			stage.Say("guild", os.Getpid(), e.ID)
		})
		s.AddSyncHandler(func(e *gateway.MessageCreateEvent) {
			stage.Say("message", os.Getpid(), id, e.Content)
		})
		if err := s.Open(ctx); err != nil {
			return err
		}
	}
	select {} // until it is killed
}
