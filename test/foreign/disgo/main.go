// Command disgo is a bot on disgo, which speaks v10 and asks for zstd-stream; COMPRESS names another compression, "none" or "zlib-stream".
// disgo reads the application's id from the token's first part.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/disgoorg/disgo"
	"github.com/disgoorg/disgo/bot"
	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/events"
	"github.com/disgoorg/disgo/gateway"

	"github.com/discluster/control/test/foreign/stage"
)

const intents = gateway.IntentGuilds | gateway.IntentGuildMembers | gateway.IntentGuildPresences | gateway.IntentGuildVoiceStates |
	gateway.IntentGuildMessages | gateway.IntentMessageContent

func main() {
	token := stage.Enter()
	ended := make(chan error, 1)
	var once sync.Once
	client, err := disgo.New(token,
		bot.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))),
		bot.WithGatewayConfigOpts(gateway.WithIntents(intents), gateway.WithCompression(compression()),
			gateway.WithCloseHandler(func(_ gateway.Gateway, err error, _ bool) { ended <- err })),
		bot.WithEventListeners(&events.ListenerAdapter{
			OnReady:   func(*events.Ready) { stage.Print("ready") },
			OnResumed: func(*events.Resumed) { stage.Print("resumed") },
			OnGuildReady: func(e *events.GuildReady) {
				stage.Print("guild %s channels %d members %d", e.GuildID, len(e.Guild.Channels), len(e.Guild.Members))
				once.Do(func() { go act(e.Client(), e.Guild) })
			},
			OnGuildMessageCreate: func(e *events.GuildMessageCreate) { stage.Print("message %s", e.Message.Content) },
			OnPresenceUpdate:     func(e *events.PresenceUpdate) { stage.Print("presence %s", e.Status) },
			OnGuildVoiceStateUpdate: func(e *events.GuildVoiceStateUpdate) {
				if e.VoiceState.ChannelID != nil {
					stage.Print("voice %s", *e.VoiceState.ChannelID)
				}
			},
		}),
	)
	if err == nil {
		err = client.OpenGateway(context.Background())
	}
	if err == nil {
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM)
		select {
		case err = <-ended:
		case <-term:
			ctx, done := context.WithTimeout(context.Background(), 5*time.Second)
			defer done()
			client.Close(ctx)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "disgo:", err)
		os.Exit(1)
	}
}

func compression() gateway.CompressionType {
	switch c := os.Getenv("COMPRESS"); c {
	case "":
		return gateway.CompressionZstdStream
	case "none":
		return gateway.CompressionNone
	default:
		return gateway.CompressionType(c)
	}
}

func act(client *bot.Client, guild discord.GatewayGuild) {
	ctx := context.Background()
	stage.Fail("presence", client.SetPresence(ctx, gateway.WithOnlineStatus(stage.Status)))
	for _, channel := range guild.Channels {
		id := channel.ID()
		switch channel.Type() {
		case discord.ChannelTypeGuildVoice:
			stage.Fail("voice", client.UpdateVoiceState(ctx, guild.ID, &id, false, false))
		case discord.ChannelTypeGuildText:
			if channel.Position() == 0 {
				message, err := client.Rest.CreateMessage(id, discord.MessageCreate{Content: stage.Message})
				if stage.Fail("message", err); err == nil {
					stage.Print("sent %s", message.Content)
				}
			}
		}
	}
	members, err := client.MemberChunkingManager.RequestAllMembers(ctx, guild.ID)
	if stage.Fail("members", err); err == nil {
		stage.Print("members %d", len(members))
	}
	commands, err := client.Rest.SetGlobalCommands(client.ApplicationID, []discord.ApplicationCommandCreate{
		discord.SlashCommandCreate{Name: stage.Command, Description: "answers"},
	})
	if stage.Fail("command", err); err == nil {
		stage.Print("command %s", commands[0].Name())
	}
}
