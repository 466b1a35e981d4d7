package master

import (
	"github.com/discluster/control/actors/master/fleet"
	"github.com/discluster/control/messages"
)

// Options are MASTER's settings, fixed at its start.
type Options struct {
	Listen        string          // host:port
	Authorization messages.Secret // what every CONTROL has to present; never empty
	Token         messages.Secret // of the bot
	API           string          // Discord's REST API, without /api/v10

	fleet.Options // of the fleet's rules

	// Listening is called with MASTER's address once it listens; Failed with the reason why it cannot.
	// The fleet's actor calls both; they must not block.
	Listening func(at string)
	Failed    func(error)
	// Observe gets every event, may be nil, and must not block.
	Observe func(messages.Event)
}

// asksDiscord reports whether Discord is asked for what is not set by hand.
func (o Options) asksDiscord() bool { return o.Shards == 0 || o.MaxConcurrency == 0 }
