package master

import (
	"encoding/json"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file is how MASTER obeys a Discord that wants not to be asked, also after it was started
// again: whoever asks nevertheless is locked out for longer.

// discordFile is a file of the state folder, and refusalKept what it holds.
const discordFile = "discord.json"

type refusalKept struct {
	NotBefore messages.UnixMillis `json:"not_before"`
	Token     string              `json:"token"` // fingerprint of who was refused
	Err       string              `json:"err"`
}

// withoutAsking is what an operator can do who cannot wait.
const withoutAsking = "fleet.shards and fleet.max_concurrency, both set by hand, start the fleet without asking"

// obey asks nothing for as long as Discord wants.
func (f *Fleet) obey(refused *plan.GatewayBotError) {
	f.notBefore = time.Now().Add(refused.Wait)
	data, err := json.Marshal(refusalKept{f.W.AtWall(f.notBefore), f.options.Token.Fingerprint(), refused.Error()})
	if err != nil {
		panic(err) // texts and a number
	}
	f.W.Save(discordFile, data, func(err error) {
		if err != nil {
			f.W.Log.Warn().Err(err).Str("file", discordFile).Msg("cannot write")
		}
	})
}

// recallRefusal obeys what an earlier life was told. A clock that was wrong costs a day at most.
func (f *Fleet) recallRefusal() {
	data, err := f.W.Load(discordFile)
	var kept refusalKept
	if err != nil || data == nil || json.Unmarshal(data, &kept) != nil || kept.Token != f.options.Token.Fingerprint() {
		return
	}
	wait := time.Until(f.W.FromWall(kept.NotBefore))
	if wait <= 0 || wait > plan.WaitMost {
		return
	}
	f.notBefore = time.Now().Add(wait)
	f.said = kept.Err
	f.raise(messages.DiscordUnreachable{Err: kept.Err, RetryInMS: messages.Millis(wait), Hint: withoutAsking})
}

// complain reports once, for each reason, why nothing is known of Discord.
func (f *Fleet) complain(err error, wait time.Duration) {
	if err.Error() == f.said {
		return
	}
	f.said = err.Error()
	unreachable := messages.DiscordUnreachable{Err: err.Error(), RetryInMS: messages.Millis(wait)}
	if wait > time.Minute {
		unreachable.Hint = withoutAsking
	}
	f.raise(unreachable)
}
