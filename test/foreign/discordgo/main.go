// Command discordgo is a bot on discordgo, which speaks v9: one session a shard, as its author does
// it by hand.
package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/bwmarrin/discordgo"

	"github.com/discluster/control/test/foreign/stage"
)

const intents = discordgo.IntentGuilds | discordgo.IntentGuildMembers | discordgo.IntentGuildPresences | discordgo.IntentGuildVoiceStates |
	discordgo.IntentGuildMessages | discordgo.IntentMessageContent

func main() { stage.Exit(run(stage.Enter())) }

func run(token string) error {
	asker, err := discordgo.New("Bot " + token)
	if err != nil {
		return err
	}
	bots, err := asker.GatewayBot()
	if err != nil {
		return err
	}
	b := bot{on: stage.New(bots.Shards), members: make(chan int)}
	for shard := range bots.Shards {
		s, err := discordgo.New("Bot " + token)
		if err != nil {
			return err
		}
		s.ShardID, s.ShardCount = shard, bots.Shards
		b.shards = append(b.shards, s)
		b.listen(s)
	}
	for _, s := range b.shards { // as many as max_concurrency allows to come together
		if err := s.Open(); err != nil {
			return err
		}
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	<-term
	for _, s := range b.shards {
		if err := s.Close(); err != nil {
			return err
		}
	}
	return nil
}

// bot is all shards.
type bot struct {
	on      *stage.Stage
	shards  []*discordgo.Session
	members chan int // sizes of the chunks of an answer
}

// id is one of discordgo's, which are texts.
type id string

func (i id) String() string { return string(i) }

func (b *bot) listen(s *discordgo.Session) {
	s.Identify.Intents = intents
	s.SyncEvents = true // keeps the lines in the order of the events
	s.AddHandler(func(s *discordgo.Session, e *discordgo.Ready) { b.on.Identified(s.ShardID, len(e.Guilds)) })
	s.AddHandler(func(s *discordgo.Session, _ *discordgo.Resumed) { stage.Say("resumed", s.ShardID) })
	s.AddHandler(func(s *discordgo.Session, e *discordgo.GuildCreate) {
		b.on.Guild(id(e.ID), len(e.Channels), len(e.Roles), len(e.Members), b.deeds(s, e.Guild))
	})
	s.AddHandler(func(s *discordgo.Session, e *discordgo.MessageCreate) {
		if e.Author.ID == s.State.User.ID {
			stage.Say("own", e.Content)
		} else {
			stage.Say("message", s.ShardID, e.Content)
		}
	})
	s.AddHandler(func(_ *discordgo.Session, e *discordgo.PresenceUpdate) { stage.Say("presence", e.GuildID, e.Status) })
	s.AddHandler(func(_ *discordgo.Session, e *discordgo.VoiceStateUpdate) { stage.Say("voice", e.GuildID, e.ChannelID) })
	members := 0
	s.AddHandler(func(_ *discordgo.Session, e *discordgo.GuildMembersChunk) {
		if members += len(e.Members); e.ChunkIndex == e.ChunkCount-1 {
			b.members <- members
		}
	})
}

func (b *bot) deeds(s *discordgo.Session, guild *discordgo.Guild) stage.Deeds {
	channel := func(name string) string {
		for _, c := range guild.Channels {
			if c.Name == name {
				return c.ID
			}
		}
		return ""
	}
	return stage.Deeds{
		Commands: func() (int, int, error) {
			commands := []*discordgo.ApplicationCommand{{Name: stage.Command, Description: "pings"}}
			global, err := s.ApplicationCommandBulkOverwrite(s.State.User.ID, "", commands)
			if err != nil {
				return 0, 0, err
			}
			local, err := s.ApplicationCommandBulkOverwrite(s.State.User.ID, guild.ID, commands)
			return len(global), len(local), err
		},
		Send: func() (string, error) {
			m, err := s.ChannelMessageSend(channel("text-0"), stage.Content)
			if err != nil {
				return "", err
			}
			return m.Content, nil
		},
		Presence: func() error {
			for _, s := range b.shards {
				if err := s.UpdateStatusComplex(discordgo.UpdateStatusData{Status: stage.Status}); err != nil {
					return err
				}
			}
			return nil
		},
		Voice: func() error { return s.ChannelVoiceJoinManual(guild.ID, channel("voice"), true, false) },
		Members: func() (int, error) {
			if err := s.RequestGuildMembers(guild.ID, "", 0, "all", false); err != nil {
				return 0, err
			}
			return <-b.members, nil
		},
	}
}
