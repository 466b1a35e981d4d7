// Command hosted-discordgo is a discordgo bot, which speaks v9, behind a gateway host, with the
// shards that CONTROL names. It prints "guild PID ID" for each guild and
// "message PID SHARD CONTENT" for each message.
package main

import (
	"os"

	"github.com/bwmarrin/discordgo"

	"github.com/discluster/control/test/foreign/stage"
)

const intents = discordgo.IntentGuilds | discordgo.IntentGuildMessages | discordgo.IntentMessageContent

func main() { stage.Exit(run()) }

func run() error {
	discordgo.EndpointGateway = os.Getenv("DISCORD_API") + "/api/v9/gateway"
	ids, count, err := stage.Shards()
	if err != nil {
		return err
	}
	for _, id := range ids {
		s, err := discordgo.New("Bot " + os.Getenv("DISCORD_TOKEN"))
		if err != nil {
			return err
		}
		s.ShardID, s.ShardCount, s.Identify.Intents = id, count, intents
		s.SyncEvents = true // keeps the lines in the order of the events
		s.AddHandler(func(_ *discordgo.Session, e *discordgo.GuildCreate) {
			stage.Say("guild", os.Getpid(), e.ID)
		})
		s.AddHandler(func(s *discordgo.Session, e *discordgo.MessageCreate) {
			stage.Say("message", os.Getpid(), s.ShardID, e.Content)
		})
		if err := s.Open(); err != nil {
			return err
		}
	}
	select {} // until it is killed
}
