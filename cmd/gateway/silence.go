package gateway

import "time"

// lookEvery is the time between two looks at the bot.
const lookEvery = time.Second

// silence is the state of a run of the bot that has not connected. It counts looks, not time,
// because a suspended host does not look.
type silence struct {
	limit    time.Duration // for a bot of which a run has connected before
	looks    int
	ended    bool // it has connected
	reported bool
}

// What a look finds due.
type silentDue int

const (
	silentWait silentDue = iota
	silentReport
	silentKill
)

// look returns what is due. A bot of which no run connected before may be of another kind: it is
// reported, and lives. Any other hangs.
func (s *silence) look(connected, before bool, patience time.Duration) silentDue {
	s.looks++
	s.ended = s.ended || connected
	lasts := time.Duration(s.looks) * lookEvery
	switch {
	case s.ended:
		return silentWait
	case before && lasts >= s.limit:
		return silentKill
	case !before && !s.reported && lasts >= patience:
		return silentReport
	default:
		return silentWait
	}
}
