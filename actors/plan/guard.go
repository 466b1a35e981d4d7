package plan

import (
	"time"

	"github.com/discluster/control/messages"
)

// An outage of Discord begins when more than a fifth of a machine's shards have been thrown out for
// outageAfter. During it no cluster is restarted for being late.
const (
	outageShare = 5 // one of this many
	outageAfter = 5 * time.Second
)

// Outage distinguishes an outage of Discord from trouble of single shards. The zero value has seen
// nothing.
type Outage struct {
	On    bool
	since time.Time // when the share was first exceeded; zero: it is not
}

// See takes how many of all shards are thrown out at now, and whether one has just become READY,
// which ends an outage. It reports whether On changed, and when to call it again (zero: at the next
// change).
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

// How long a shard may be down: it is not READY, and waits for no permit that it asked for.
const (
	StuckAfter     = 2 * time.Minute // then it is reported
	ReconnectAfter = 5 * time.Minute // then its bot is ordered to reconnect it
	LostAfter      = 6 * time.Minute // then the cluster is restarted
)

// StuckReason returns why a shard that is down makes no progress, as far as its state shows.
func StuckReason(state messages.ShardState) string {
	switch state {
	case messages.ShardWaitingPermit:
		return "it reports that it waits for a permit, but asked for none"
	case messages.ShardIdle:
		return "it neither connects nor asks for a permit"
	case messages.ShardConnecting, messages.ShardDisconnected:
		return "it has no connection to Discord's gateway"
	case messages.ShardIdentifying, messages.ShardResuming:
		return "Discord does not answer it"
	default:
		return "its bot does not connect it again"
	}
}

// WaitsForDiscord reports whether Discord keeps a shard in this state waiting, which no restart
// shortens.
func WaitsForDiscord(state messages.ShardState) bool {
	return state == messages.ShardConnecting || state == messages.ShardDisconnected
}
