package master

import (
	"time"

	"github.com/discluster/control/actors/master/fleet"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// Options is what MASTER is told once, at its start.
type Options struct {
	Listen        string          // host:port
	Authorization messages.Secret // what every CONTROL has to bring; never empty
	Token         messages.Secret // of the bot
	API           string          // Discord's REST API, without /api/v10

	Shards           int // 0: Discord's recommendation
	MaxConcurrency   int // 0: what Discord says
	ShardsPerCluster int // 0: by max_concurrency

	Expect    int           // machines; 0: not known
	Alone     bool          // there is one machine, and never another
	Spares    int           // machines that a cold start leaves without shards
	Wait      time.Duration // for machines
	Grace     time.Duration // for one that was lost to return, before its shards are given away
	Lease     time.Duration // how long a machine may serve without a word of ours; 0: for ever
	Heartbeat time.Duration
	TTL       time.Duration // of a permit
	Margin    time.Duration // beyond Discord's 5 s

	// Listening is told where MASTER listens, once it does; Failed why it cannot. Both are called by the fleet's actor, and must not block.
	Listening func(at string)
	Failed    func(error)
	// Told gets every event; nil: nobody does. The same rules.
	Told func(messages.Event)
}

// fleet returns what of it the fleet's rules depend on.
func (o Options) fleet(w *world.World) fleet.Options {
	return fleet.Options{
		Shards: o.Shards, MaxConcurrency: o.MaxConcurrency, ShardsPerCluster: o.ShardsPerCluster,
		Expect: o.Expect, Alone: o.Alone, Spares: o.Spares, Wait: o.Wait, Grace: o.Grace, Lease: o.Lease, Heartbeat: o.Heartbeat, TTL: o.TTL, Margin: o.Margin,
		Token: o.Token.Fingerprint(), Rand: w.Rand,
	}
}

// asksDiscord reports whether Discord is asked for what is not set by hand.
func (o Options) asksDiscord() bool { return o.Shards == 0 || o.MaxConcurrency == 0 }
