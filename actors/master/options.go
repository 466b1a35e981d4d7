package master

import (
	"time"

	"github.com/discluster/control/actors/master/fleet"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// Options are MASTER's settings, fixed at its start.
type Options struct {
	Listen        string          // host:port
	Authorization messages.Secret // what every CONTROL has to present; never empty
	Token         messages.Secret // of the bot
	API           string          // Discord's REST API, without /api/v10

	Shards           int // 0: Discord's recommendation
	MaxConcurrency   int // 0: Discord's
	ShardsPerCluster int // 0: by max_concurrency

	Expect    int           // machines; 0: unknown
	Alone     bool          // there is one machine, and never another
	Spares    int           // machines that a cold start leaves without shards
	Wait      time.Duration // for machines
	Grace     time.Duration // for a lost machine to return, before its shards are placed elsewhere
	Lease     time.Duration // how long a machine may serve without hearing from MASTER; 0: forever
	Heartbeat time.Duration
	TTL       time.Duration // of a permit
	Margin    time.Duration // beyond Discord's 5 s

	// Listening is called with MASTER's address once it listens; Failed with the reason why it cannot.
	// The fleet's actor calls both; they must not block.
	Listening func(at string)
	Failed    func(error)
	// Observe gets every event, may be nil, and must not block.
	Observe func(messages.Event)
}

// fleet returns the options of the fleet's rules.
func (o Options) fleet(w *world.World) fleet.Options {
	return fleet.Options{
		Shards: o.Shards, MaxConcurrency: o.MaxConcurrency, ShardsPerCluster: o.ShardsPerCluster,
		Expect: o.Expect, Alone: o.Alone, Spares: o.Spares, Wait: o.Wait, Grace: o.Grace, Lease: o.Lease, Heartbeat: o.Heartbeat, TTL: o.TTL, Margin: o.Margin,
		Token: o.Token.Fingerprint(), Rand: w.Rand,
	}
}

// asksDiscord reports whether Discord is asked for what is not set by hand.
func (o Options) asksDiscord() bool { return o.Shards == 0 || o.MaxConcurrency == 0 }
