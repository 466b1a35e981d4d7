package plan

import "time"

// sameDay is by how much the end of one of Discord's days may differ from one answer to the next.
const sameDay = 10 * time.Minute

// Unaccounted returns how many identifies Discord counted that were not granted: from what was
// known before its answer, with everything granted taken off, and its answer. away is what machines
// out of sight may have spent. An answer of another day returns 0.
func Unaccounted(before, answer Budget, away int) int {
	if !before.comparable(answer) {
		return 0
	}
	return max(before.Remaining-away-answer.Remaining, 0)
}

// comparable reports whether two budgets are of one day.
func (b Budget) comparable(other Budget) bool {
	return b.Total > 0 && b.Total == other.Total && b.Reset.Sub(other.Reset).Abs() <= sameDay
}

// Corrected returns what is left at least after an answer of Discord's, which may leave out unseen:
// that much less than the answer, but no less than was known before, where the answer does not
// contradict that. away is as for Unaccounted.
func (b Budget) Corrected(answer Budget, unseen, away int) Budget {
	after := answer.Spend(unseen)
	if b.comparable(answer) && b.Remaining <= answer.Remaining {
		after.Remaining = max(after.Remaining, b.Remaining-away)
	}
	return after
}

// UnaccountedBecause returns the likely cause of n of them. unasking: some bots of the fleet ask
// for no permits.
func UnaccountedBecause(n, shards int, unasking bool) string {
	switch {
	case !unasking:
		return "another program uses this token: a second fleet, or a bot that is started by hand"
	case n > shards:
		return "a bot begins sessions again and again (op 9, invalid session), or ignores SHARDS and starts every shard; or another program uses this token"
	default:
		return "bots that ask for no permits began sessions of their own, as after op 9; or another program uses this token"
	}
}
