package plan

import "github.com/discluster/control/messages"

// EpochOfWrongClock reports whether the epoch obeyed before lies in the future of the MASTER that
// sent p. An epoch is the time its MASTER began, so one of the two clocks is wrong, and the older
// epoch proves nothing against this MASTER. An outdated MASTER that still runs has a working clock,
// and is found out.
func EpochOfWrongClock(p messages.Initialise, obeyed int64) bool {
	return p.Now != nil && obeyed > int64(*p.Now)
}
