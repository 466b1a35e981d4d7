package plan

import "time"

// An outage of Discord is when more than a fifth of a machine's shards are thrown out and stay so for outageAfter: then nobody is restarted for being late.
const (
	outageShare = 5 // one in so many
	outageAfter = 5 * time.Second
)

// Outage tells an outage of Discord from single shards that have trouble. The zero value has seen nothing.
type Outage struct {
	On    bool
	since time.Time // of the share being exceeded; zero: it is not
}

// See takes how many of all shards are thrown out at now, and whether one has just become READY, which ends an outage. It says whether On changed, and when to look
// again (zero: at the next news).
func (o *Outage) See(out, all int, ready bool, now time.Time) (changed bool, look time.Time) {
	was := o.On
	switch exceeded := out*outageShare > all; {
	case ready, !exceeded && !o.On:
		o.since = time.Time{}
		o.On = false
	case o.On:
	case o.since.IsZero():
		o.since = now
		look = now.Add(outageAfter)
	case now.Sub(o.since) >= outageAfter:
		o.On = true
	default:
		look = o.since.Add(outageAfter)
	}
	return o.On != was, look
}

// A cluster that identifies more than stormFactor times per shard within stormWindow burns the day's budget of the whole bot.
const (
	stormFactor = 2
	stormWindow = 10 * time.Minute
)

// Burnt is when a cluster identified, lately.
type Burnt []time.Time

// Storm takes one more identify of a cluster with so many shards, and says whether that is one too many.
func (b Burnt) Storm(now time.Time, shards int) (Burnt, bool) {
	b = recent(b, now, stormWindow, stormFactor*shards+1)
	return b, len(b) > stormFactor*shards
}

// How long a shard of a serving cluster may be down.
const (
	StuckAfter     = 2 * time.Minute // then it is said
	ReconnectAfter = 5 * time.Minute // then its bot is told to connect anew
	LostAfter      = 6 * time.Minute // then the cluster is restarted
)
