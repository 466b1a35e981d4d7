package plan

import "time"

// Emergency is a warning to clusters about Discord's REST API (PROTOCOL A1, IpcEmergencyOpCodes).
type Emergency int

const (
	InvalidRequestLimitAlmostReached Emergency = 0
	GlobalRateLimitAlmostReached     Emergency = 2
	GlobalRateLimitHit               Emergency = 3
)

// Discord's limits for one address, as upstream's manager counts them (PROTOCOL A4).
const (
	restPerWindow   = 50
	restWindow      = time.Second
	invalidPerSpell = 10_000
	invalidSpell    = 10 * time.Minute
)

// RestBudget counts the requests to Discord's REST API that the clusters report, and warns when
// hardly any is left: once, until the window is over. The zero value is a fresh one.
type RestBudget struct {
	sent, invalid           int
	sentUntil, invalidUntil time.Time // ends of the windows
	blockedUntil            time.Time
}

// Spend counts one request at now, and reports which limit it brought near, and until when nothing
// should be sent.
func (b *RestBudget) Spend(success bool, now time.Time) (which Emergency, until time.Time, near bool) {
	if !now.Before(b.sentUntil) {
		b.sent, b.sentUntil = 0, now.Add(restWindow)
	}
	if !now.Before(b.invalidUntil) {
		b.invalid, b.invalidUntil = 0, now.Add(invalidSpell)
	}
	if now.Before(b.blockedUntil) {
		return 0, time.Time{}, false
	}
	b.sent++
	if !success {
		b.invalid++
	}
	switch {
	case b.invalid >= invalidPerSpell-1:
		which, until = InvalidRequestLimitAlmostReached, b.invalidUntil
	case b.sent >= restPerWindow-1:
		which, until = GlobalRateLimitAlmostReached, b.sentUntil
	default:
		return 0, time.Time{}, false
	}
	b.Block(until)
	return which, until, true
}

// Block stops the warnings until then: the clusters were warned.
func (b *RestBudget) Block(until time.Time) { b.blockedUntil = until }
