package plan

import "github.com/discluster/control/messages"

// EpochOfWrongClock reports whether the epoch that was obeyed before lies in the future of the
// MASTER that says p. An epoch is when its MASTER began, so that one of the two clocks is wrong,
// and what was obeyed proves nothing against this MASTER. One of the past that lives on has a clock
// that goes, and is found out.
func EpochOfWrongClock(p messages.Initialise, obeyed int64) bool {
	return p.Now != nil && obeyed > int64(*p.Now)
}
