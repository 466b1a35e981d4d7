// Command discordgo is a bot on discordgo, which speaks v9 and asks for single payloads to be compressed with zlib.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/bwmarrin/discordgo"

	"github.com/discluster/control/test/foreign/stage"
)

const intents = discordgo.IntentGuilds | discordgo.IntentGuildMembers | discordgo.IntentGuildPresences | discordgo.IntentGuildVoiceStates |
	discordgo.IntentGuildMessages | discordgo.IntentMessageContent

func main() {
	token := stage.Enter()
	if err := run(token); err != nil {
		fmt.Fprintln(os.Stderr, "discordgo:", err)
		os.Exit(1)
	}
}

func run(token string) error {
	s, err := discordgo.New("Bot " + token)
	if err != nil {
		return err
	}
	s.Identify.Intents = intents
	s.SyncEvents = true // the lines come in the order of the events
	var once sync.Once
	s.AddHandler(func(*discordgo.Session, *discordgo.Ready) { stage.Print("ready") })
	s.AddHandler(func(*discordgo.Session, *discordgo.Resumed) { stage.Print("resumed") })
	s.AddHandler(func(s *discordgo.Session, e *discordgo.GuildCreate) {
		stage.Print("guild %s channels %d members %d", e.ID, len(e.Channels), len(e.Members))
		once.Do(func() { go act(s, e.Guild) })
	})
	s.AddHandler(func(_ *discordgo.Session, e *discordgo.MessageCreate) { stage.Print("message %s", e.Content) })
	s.AddHandler(func(_ *discordgo.Session, e *discordgo.PresenceUpdate) { stage.Print("presence %s", e.Status) })
	s.AddHandler(func(_ *discordgo.Session, e *discordgo.VoiceStateUpdate) { stage.Print("voice %s", e.ChannelID) })
	members := 0
	s.AddHandler(func(_ *discordgo.Session, e *discordgo.GuildMembersChunk) {
		if members += len(e.Members); e.ChunkIndex == e.ChunkCount-1 {
			stage.Print("members %d", members)
		}
	})
	if err := s.Open(); err != nil {
		return err
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	<-term
	return s.Close()
}

func act(s *discordgo.Session, guild *discordgo.Guild) {
	stage.Fail("presence", s.UpdateStatusComplex(discordgo.UpdateStatusData{Status: stage.Status}))
	for _, channel := range guild.Channels {
		switch {
		case channel.Type == discordgo.ChannelTypeGuildVoice:
			stage.Fail("voice", s.ChannelVoiceJoinManual(guild.ID, channel.ID, false, false))
		case channel.Type == discordgo.ChannelTypeGuildText && channel.Position == 0:
			message, err := s.ChannelMessageSend(channel.ID, stage.Message)
			if stage.Fail("message", err); err == nil {
				stage.Print("sent %s", message.Content)
			}
		}
	}
	stage.Fail("members", s.RequestGuildMembers(guild.ID, "", 0, "all", false))
	commands, err := s.ApplicationCommandBulkOverwrite(s.State.User.ID, "", []*discordgo.ApplicationCommand{{Name: stage.Command, Description: "answers"}})
	if stage.Fail("command", err); err == nil {
		stage.Print("command %s", commands[0].Name)
	}
}
