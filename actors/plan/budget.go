package plan

import (
	"time"

	"github.com/discluster/control/messages"
)

// Budget holds what is left of the day's identifies (Discord docs, Gateway: Session Start Limit).
// Discord resets the token of a bot that exceeds it.
type Budget struct {
	Total, Remaining int // 0 and 0: unknown
	Reserve          int // kept for a cold start
	Reset            time.Time
}

// day is the length of a budget.
const day = 24 * time.Hour

// NewBudget reserves a cold start of shards identifies, at most half of total.
func NewBudget(total, remaining, shards int, reset time.Time) Budget {
	return Budget{Total: total, Remaining: remaining, Reserve: min(shards, total/2), Reset: reset}
}

// At returns the budget at now. It is whole again a day later.
func (b Budget) At(now time.Time) Budget {
	if b.Total > 0 && !now.Before(b.Reset) {
		b.Remaining, b.Reset = b.Total, now.Add(day)
	}
	return b
}

// Spend takes n identifies; below 0, it gives back unused ones.
func (b Budget) Spend(n int) Budget {
	if b.Total > 0 {
		b.Remaining = min(max(b.Remaining-n, 0), b.Total)
	}
	return b
}

// Allows reports whether n identifies may be granted while out permits are outstanding (DESIGN §5).
// Operators and starts may always identify; the reserve is for starts. Crashes leave the reserve
// alone. Shards whose session Discord refused take from it one at a time.
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

// Ever reports whether a whole day's budget allows n, for a requester that can wait for it.
func (b Budget) Ever(cause messages.IdentifyCause, n int) bool {
	b.Remaining = b.Total
	return b.Allows(cause, n, 0)
}

// Low reports whether only the reserve is left for a request of n.
func (b Budget) Low(n int) bool { return b.Total > 0 && b.Remaining-n < b.Reserve }
