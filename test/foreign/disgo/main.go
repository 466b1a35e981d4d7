// Command disgo is a bot on disgo, which speaks v10 and asks for zstd-stream; an argument names
// another compression, "none" or "zlib-stream". disgo reads the application's id from the first
// part of the token.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/disgoorg/disgo"
	"github.com/disgoorg/disgo/bot"
	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/events"
	"github.com/disgoorg/disgo/gateway"
	"github.com/disgoorg/disgo/sharding"
	"github.com/disgoorg/snowflake/v2"

	"github.com/discluster/control/test/foreign/stage"
)

const intents = gateway.IntentGuilds | gateway.IntentGuildMembers | gateway.IntentGuildPresences | gateway.IntentGuildVoiceStates |
	gateway.IntentGuildMessages | gateway.IntentMessageContent

func main() { stage.Exit(run(stage.Enter())) }

func run(token string) error {
	ended := make(chan error, 1)
	var on *stage.Stage
	client, err := disgo.New(token,
		bot.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))),
		bot.WithShardManagerConfigOpts(
			sharding.WithGatewayConfigOpts(gateway.WithIntents(intents), gateway.WithCompression(compression())),
			sharding.WithCloseHandler(func(_ gateway.Gateway, err error, _ bool) { ended <- err }),
		),
		bot.WithEventListeners(&events.ListenerAdapter{
			OnReady:   func(e *events.Ready) { on.Identified(e.ShardID(), len(e.Guilds)) },
			OnResumed: func(e *events.Resumed) { stage.Say("resumed", e.ShardID()) },
			OnGuildReady: func(e *events.GuildReady) {
				on.Guild(e.GuildID, len(e.Guild.Channels), len(e.Guild.Roles), len(e.Guild.Members), deeds(e.Client(), e.Guild))
			},
			OnGuildMessageCreate: func(e *events.GuildMessageCreate) {
				if e.Message.Author.ID == e.Client().ID() {
					stage.Say("own", e.Message.Content)
				} else {
					stage.Say("message", e.ShardID(), e.Message.Content)
				}
			},
			OnPresenceUpdate: func(e *events.PresenceUpdate) { stage.Say("presence", e.GuildID, e.Status) },
			OnGuildVoiceStateUpdate: func(e *events.GuildVoiceStateUpdate) {
				if e.VoiceState.ChannelID != nil {
					stage.Say("voice", e.VoiceState.GuildID, *e.VoiceState.ChannelID)
				}
			},
		}),
	)
	if err != nil {
		return err
	}
	bots, err := client.Rest.GetGatewayBot()
	if err != nil {
		return err
	}
	on = stage.New(bots.Shards)
	if err := client.OpenShardManager(context.Background()); err != nil {
		return err
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	select {
	case err := <-ended:
		return err
	case <-term:
	}
	ctx, done := context.WithTimeout(context.Background(), 5*time.Second)
	defer done()
	client.Close(ctx)
	return nil
}

func compression() gateway.CompressionType {
	switch {
	case len(os.Args) < 2:
		return gateway.CompressionZstdStream
	case os.Args[1] == "none":
		return gateway.CompressionNone
	}
	return gateway.CompressionType(os.Args[1])
}

func deeds(client *bot.Client, guild discord.GatewayGuild) stage.Deeds {
	ctx := context.Background()
	channel := func(name string) snowflake.ID {
		for _, c := range guild.Channels {
			if c.Name() == name {
				return c.ID()
			}
		}
		return 0
	}
	return stage.Deeds{
		Commands: func() (int, int, error) {
			commands := []discord.ApplicationCommandCreate{discord.SlashCommandCreate{Name: stage.Command, Description: "pings"}}
			global, err := client.Rest.SetGlobalCommands(client.ApplicationID, commands)
			if err != nil {
				return 0, 0, err
			}
			local, err := client.Rest.SetGuildCommands(client.ApplicationID, guild.ID, commands)
			return len(global), len(local), err
		},
		Send: func() (string, error) {
			m, err := client.Rest.CreateMessage(channel("text-0"), discord.MessageCreate{Content: stage.Content})
			if err != nil {
				return "", err
			}
			return m.Content, nil
		},
		Presence: func() error {
			for _, shard := range slices.Collect(client.ShardManager.Shards()) { // they are locked while one ranges over them
				if err := client.SetPresenceForShard(ctx, shard.ShardID(), gateway.WithOnlineStatus(stage.Status)); err != nil {
					return err
				}
			}
			return nil
		},
		Voice: func() error {
			voice := channel("voice")
			return client.UpdateVoiceState(ctx, guild.ID, &voice, true, false)
		},
		Members: func() (int, error) {
			members, err := client.MemberChunkingManager.RequestAllMembers(ctx, guild.ID)
			return len(members), err
		},
	}
}
