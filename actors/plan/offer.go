package plan

import (
	"time"

	"github.com/discluster/control/messages"
)

// Kept is a session and how long it has had no owner.
type Kept struct {
	messages.Session
	Since time.Time // of its owner's death; zero: it has one
}

// Offer returns which of the kept sessions a new process may resume (DESIGN §5): of the same shard
// count and the same declared intents, and not too old.
func Offer(kept []Kept, shardCount int, intents int64, now time.Time) []messages.Session {
	var offered []messages.Session
	for _, k := range kept {
		switch {
		case k.SessionID == "" || k.ShardCount != shardCount || k.Intents != intents:
		case !k.Since.IsZero() && now.Sub(k.Since) > messages.OfferedFor:
		default:
			offered = append(offered, k.Session)
		}
	}
	return offered
}

// Merge returns a known session with a report taken into it: a report of seq alone keeps the values
// of READY, and a report older than what is known changes nothing.
func Merge(known, report messages.Session) messages.Session {
	if known.SessionID != report.SessionID {
		return report
	}
	if report.Seq < known.Seq {
		return known
	}
	if report.Guilds == nil {
		report.Guilds = known.Guilds
	}
	if report.UserID == "" {
		report.UserID, report.ApplicationID = known.UserID, known.ApplicationID
	}
	return report
}
