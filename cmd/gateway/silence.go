package gateway

import "time"

// lookEvery is the time between two looks at the bot.
const lookEvery = time.Second

// silence is the state of a run of the bot that has not connected. It counts looks, not time, as a
// host that is suspended does not look.
type silence struct {
	most     time.Duration // for a bot of which a run has connected
	looks    int
	over     bool // it has connected
	reported bool
}

// What a look finds due.
type silentDue int

const (
	silentWait silentDue = iota
	silentReport
	silentKill
)

// look returns what is due. A bot of which no run ever connected (met) may be of another kind: it
// is reported, and lives. Any other hangs.
func (s *silence) look(connected, met bool, patience time.Duration) silentDue {
	s.looks++
	s.over = s.over || connected
	lasts := time.Duration(s.looks) * lookEvery
	switch {
	case s.over:
		return silentWait
	case met && lasts >= s.most:
		return silentKill
	case !met && !s.reported && lasts >= patience:
		return silentReport
	default:
		return silentWait
	}
}
