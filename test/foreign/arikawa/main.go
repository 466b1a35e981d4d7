// Command arikawa is a bot on arikawa, which speaks v9, with its manager of shards.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/diamondburned/arikawa/v3/api"
	"github.com/diamondburned/arikawa/v3/discord"
	"github.com/diamondburned/arikawa/v3/gateway"
	"github.com/diamondburned/arikawa/v3/session"
	"github.com/diamondburned/arikawa/v3/session/shard"
	"github.com/diamondburned/arikawa/v3/utils/json/option"

	"github.com/discluster/control/test/foreign/stage"
)

const intents = gateway.IntentGuilds | gateway.IntentGuildMembers | gateway.IntentGuildPresences | gateway.IntentGuildVoiceStates |
	gateway.IntentGuildMessages | gateway.IntentMessageContent

func main() { stage.Exit(run(stage.Enter())) }

func run(token string) error {
	ctx := context.Background()
	bots, err := gateway.BotURL(ctx, "Bot "+token)
	if err != nil {
		return err
	}
	b := bot{on: stage.New(bots.Shards), members: make(chan int)}
	manager, err := shard.NewManager("Bot "+token, shard.NewSessionShard(b.listen))
	if err != nil {
		return err
	}
	if err := manager.Open(ctx); err != nil {
		return err
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	<-term
	return manager.Close()
}

// bot is all shards.
type bot struct {
	on      *stage.Stage
	members chan int // sizes of the chunks of an answer
}

func (b *bot) listen(m *shard.Manager, s *session.Session) {
	s.AddIntents(intents)
	var ready *gateway.ReadyEvent
	s.AddSyncHandler(func(e *gateway.ReadyEvent) {
		ready = e
		b.on.Identified(e.Shard.ShardID(), len(e.Guilds))
	})
	s.AddSyncHandler(func(*gateway.ResumedEvent) { stage.Say("resumed", ready.Shard.ShardID()) })
	s.AddSyncHandler(func(e *gateway.GuildCreateEvent) {
		b.on.Guild(e.ID, len(e.Channels), len(e.Roles), len(e.Members), b.deeds(m, s, e, ready.Application.ID))
	})
	s.AddSyncHandler(func(e *gateway.MessageCreateEvent) {
		if e.Author.ID == ready.User.ID {
			stage.Say("own", e.Content)
		} else {
			stage.Say("message", ready.Shard.ShardID(), e.Content)
		}
	})
	s.AddSyncHandler(func(e *gateway.PresenceUpdateEvent) { stage.Say("presence", e.GuildID, e.Status) })
	s.AddSyncHandler(func(e *gateway.VoiceStateUpdateEvent) { stage.Say("voice", e.GuildID, e.ChannelID) })
	members := 0
	s.AddSyncHandler(func(e *gateway.GuildMembersChunkEvent) {
		if members += len(e.Members); e.ChunkIndex == e.ChunkCount-1 {
			b.members <- members
		}
	})
}

func (b *bot) deeds(m *shard.Manager, s *session.Session, guild *gateway.GuildCreateEvent, app discord.AppID) stage.Deeds {
	ctx := context.Background()
	channel := func(name string) discord.ChannelID {
		for _, c := range guild.Channels {
			if c.Name == name {
				return c.ID
			}
		}
		return 0
	}
	return stage.Deeds{
		Commands: func() (int, int, error) {
			commands := []api.CreateCommandData{{Name: stage.Command, Description: "pings"}}
			global, err := s.BulkOverwriteCommands(app, commands)
			if err != nil {
				return 0, 0, err
			}
			local, err := s.BulkOverwriteGuildCommands(app, guild.ID, commands)
			return len(global), len(local), err
		},
		Send: func() (string, error) {
			sent, err := s.SendMessage(channel("text-0"), stage.Content)
			if err != nil {
				return "", err
			}
			return sent.Content, nil
		},
		Presence: func() (err error) {
			m.ForEach(func(each shard.Shard) {
				command := &gateway.UpdatePresenceCommand{Status: stage.Status, Activities: []discord.Activity{}}
				if failed := each.(*session.Session).Gateway().Send(ctx, command); failed != nil {
					err = failed
				}
			})
			return err
		},
		Voice: func() error {
			return s.Gateway().Send(ctx, &gateway.UpdateVoiceStateCommand{GuildID: guild.ID, ChannelID: channel("voice"), SelfMute: true})
		},
		Members: func() (int, error) {
			command := &gateway.RequestGuildMembersCommand{GuildIDs: []discord.GuildID{guild.ID}, Query: option.NewString("")}
			if err := s.Gateway().Send(ctx, command); err != nil {
				return 0, err
			}
			return <-b.members, nil
		},
	}
}
