package plan

import (
	"time"

	"github.com/discluster/control/messages"
)

// Budget is what is left of the day's identifies (Discord docs, Gateway: Session Start Limit). Who identifies beyond it loses the token.
type Budget struct {
	Total, Remaining int // 0 and 0: not known
	Reserve          int // kept for a cold start
	Reset            time.Time
}

// day is how long a budget lasts.
const day = 24 * time.Hour

// NewBudget reserves a cold start of so many shards, at most half of everything.
func NewBudget(total, remaining, shards int, reset time.Time) Budget {
	return Budget{Total: total, Remaining: remaining, Reserve: min(shards, total/2), Reset: reset}
}

// At is the budget at now: a day later it is whole again.
func (b Budget) At(now time.Time) Budget {
	if b.Total > 0 && !now.Before(b.Reset) {
		b.Remaining, b.Reset = b.Total, now.Add(day)
	}
	return b
}

// Spend takes so many identifies, or, below 0, gives back what was not used.
func (b Budget) Spend(n int) Budget {
	if b.Total > 0 {
		b.Remaining = min(max(b.Remaining-n, 0), b.Total)
	}
	return b
}

// Allows reports whether somebody may identify n times, with so many permits out (DESIGN §5). An operator may always, and so may a start, which is what the reserve is for.
// What crashed leaves the reserve alone. A shard whose session Discord refused takes of it, one at a time.
func (b Budget) Allows(cause messages.IdentifyCause, n, out int) bool {
	switch {
	case b.Total == 0:
		return true
	case n > b.Remaining:
		return false
	case cause == messages.CauseCrash:
		return b.Remaining-n >= b.Reserve
	case cause == messages.CauseReidentify:
		return b.Remaining-n >= b.Reserve || out == 0
	default:
		return true
	}
}

// Ever reports whether a whole day's budget allows it, where somebody would wait for that.
func (b Budget) Ever(cause messages.IdentifyCause, n int) bool {
	b.Remaining = b.Total
	return b.Allows(cause, n, 0)
}

// Low reports whether nothing but the reserve is left for who wants n at once.
func (b Budget) Low(n int) bool { return b.Total > 0 && b.Remaining-n < b.Reserve }
