// Command arikawa is a bot on arikawa, which speaks v9 and asks for single payloads to be compressed with zlib.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/diamondburned/arikawa/v3/api"
	"github.com/diamondburned/arikawa/v3/discord"
	"github.com/diamondburned/arikawa/v3/gateway"
	"github.com/diamondburned/arikawa/v3/session"
	"github.com/diamondburned/arikawa/v3/utils/json/option"

	"github.com/discluster/control/test/foreign/stage"
)

const intents = gateway.IntentGuilds | gateway.IntentGuildMembers | gateway.IntentGuildPresences | gateway.IntentGuildVoiceStates |
	gateway.IntentGuildMessages | gateway.IntentMessageContent

func main() {
	token := stage.Enter()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s := session.NewWithIntents("Bot "+token, intents)
	var once sync.Once
	s.AddSyncHandler(func(*gateway.ReadyEvent) { stage.Print("ready") })
	s.AddSyncHandler(func(*gateway.ResumedEvent) { stage.Print("resumed") })
	s.AddSyncHandler(func(e *gateway.GuildCreateEvent) {
		stage.Print("guild %s channels %d members %d", e.ID, len(e.Channels), len(e.Members))
		once.Do(func() { go act(ctx, s, e) })
	})
	s.AddSyncHandler(func(e *gateway.MessageCreateEvent) { stage.Print("message %s", e.Content) })
	s.AddSyncHandler(func(e *gateway.PresenceUpdateEvent) { stage.Print("presence %s", e.Status) })
	s.AddSyncHandler(func(e *gateway.VoiceStateUpdateEvent) { stage.Print("voice %s", e.ChannelID) })
	members := 0
	s.AddSyncHandler(func(e *gateway.GuildMembersChunkEvent) {
		if members += len(e.Members); e.ChunkIndex == e.ChunkCount-1 {
			stage.Print("members %d", members)
		}
	})
	if err := s.Connect(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "arikawa:", err)
		os.Exit(1)
	}
}

func act(ctx context.Context, s *session.Session, guild *gateway.GuildCreateEvent) {
	send := func(what string, command gateway.Event) { stage.Fail(what, s.Gateway().Send(ctx, command)) }
	send("presence", &gateway.UpdatePresenceCommand{Status: stage.Status, Activities: []discord.Activity{}})
	for _, channel := range guild.Channels {
		switch {
		case channel.Type == discord.GuildVoice:
			send("voice", &gateway.UpdateVoiceStateCommand{GuildID: guild.ID, ChannelID: channel.ID})
		case channel.Type == discord.GuildText && channel.Position == 0:
			message, err := s.SendMessage(channel.ID, stage.Message)
			if stage.Fail("message", err); err == nil {
				stage.Print("sent %s", message.Content)
			}
		}
	}
	send("members", &gateway.RequestGuildMembersCommand{GuildIDs: []discord.GuildID{guild.ID}, Query: option.NewString("")})
	app, err := s.CurrentApplication()
	if stage.Fail("application", err); err != nil {
		return
	}
	commands, err := s.BulkOverwriteCommands(app.ID, []api.CreateCommandData{{Name: stage.Command, Description: "answers"}})
	if stage.Fail("command", err); err == nil {
		stage.Print("command %s", commands[0].Name)
	}
}
