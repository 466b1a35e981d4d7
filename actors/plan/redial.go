package plan

import (
	"time"

	"github.com/discluster/control/messages"
)

// Waits before MASTER is dialled again (PROTOCOL B1).
const (
	// retryEvery is the pace of dialling a MASTER that was never reached or refused this CONTROL, ± 10
	// % (discluster/control README, "Basic Mechanism").
	retryEvery = 30 * time.Second
	// supersededWait gives way to the newer link of the same source and instance.
	supersededWait = time.Minute
	retryJitter    = 0.1
)

// Refused reports whether MASTER closed because it does not accept this link, so that dialling soon
// is useless.
func Refused(code int) bool {
	switch code {
	case messages.CloseUnauthorised, messages.CloseMalformedRequest, messages.CloseAlreadyConnected, messages.CloseSuperseded, messages.CloseStaleEpoch:
		return true
	}
	return false
}

// RedialAfter is redial after a link or a dial that ended with a close code (0: without one).
func RedialAfter(code int, wasUp bool, tries int, random float64) time.Duration {
	switch {
	case code == messages.CloseSuperseded:
		return supersededWait
	case Refused(code):
		return Jitter(retryEvery, retryJitter, random)
	default:
		return redial(wasUp, tries, random)
	}
}

// redial returns how long to wait before dialling again. tries counts the dials since the link was
// last up for a while; wasUp reports whether this process ever had it. After a link that had been
// up: at once, then 1, 2, 4, 8, 16, 30 s. random is in [0,1).
func redial(wasUp bool, tries int, random float64) time.Duration {
	switch {
	case !wasUp || tries > 5:
		return Jitter(retryEvery, retryJitter, random)
	case tries == 0:
		return 0
	default:
		return Jitter(time.Second<<(tries-1), retryJitter, random)
	}
}

// Jitter moves d by at most ± share; random is in [0,1).
func Jitter(d time.Duration, share, random float64) time.Duration {
	return time.Duration(float64(d) * (1 + share*(2*random-1)))
}
