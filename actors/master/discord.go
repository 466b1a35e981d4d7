package master

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/master/fleet"
	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// This file asks Discord, and saves a refusal for MASTER's next run.

// statusUnauthorized is HTTP's for a token that Discord does not know.
const statusUnauthorized = 401

// ask asks Discord for its recommendation and limits.
func (f *Fleet) ask(ctx actor.Context) {
	send := world.Sender(ctx)
	f.cancel = f.W.Fetch(world.Request{
		Method: "GET", URL: f.options.API + plan.GatewayBotPath, Timeout: 15 * time.Second, Stay: true,
		Header: map[string]string{"Authorization": "Bot " + f.options.Token.Reveal(), "User-Agent": "DiscordBot (https://github.com/discluster/control, 1)"},
	}, func(r world.Response, err error) { send(discordAnswered{response: r, err: err}) })
}

// read returns Discord's answer.
func (f *Fleet) read(m discordAnswered) fleet.Answered {
	switch {
	case m.err != nil:
		return fleet.Answered{Err: m.err}
	case m.response.Status == statusUnauthorized:
		return fleet.Answered{Err: fleet.ErrUnauthorized}
	}
	bot, err := plan.ReadGatewayBot(m.response.Status, m.response.Header, m.response.Body, time.Now())
	return fleet.Answered{Bot: bot, Err: err}
}

// discordFile is a file of the state folder, and refusalKept its content.
const discordFile = "discord.json"

type refusalKept struct {
	NotBefore messages.UnixMillis `json:"not_before"`
	Token     string              `json:"token"` // fingerprint of the token that was refused
	Err       string              `json:"err"`
}

func (f *Fleet) rememberRefusal(r fleet.Refusal) {
	kept := refusalKept{f.W.AtWall(r.NotBefore), f.options.Token.Fingerprint(), r.Err}
	f.W.Save(discordFile, world.Encode(kept), func(err error) {
		if err != nil {
			f.W.Log.Warn().Err(err).Str("file", discordFile).Msg("cannot write")
		}
	})
}

// recallRefusal returns the refusal that an earlier run of MASTER kept; nil: there is none.
func (f *Fleet) recallRefusal() *fleet.Refusal {
	var kept refusalKept
	if found, err := f.W.Read(discordFile, &kept); !found || err != nil || kept.Token != f.options.Token.Fingerprint() {
		return nil
	}
	return &fleet.Refusal{NotBefore: f.W.FromWall(kept.NotBefore), Err: kept.Err}
}
