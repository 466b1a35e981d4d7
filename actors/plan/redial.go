package plan

import "time"

// RetryEvery is the seed's pace of dialling a MASTER that was never there or refused us, ± 10 % (discluster/control README, "Basic Mechanism"; WIRE B1, Clocks).
const RetryEvery = 30 * time.Second

// Redial is how long to wait before dialling again. tries counts the dials since the link was last up; wasUp says whether this process ever had it.
// After a link that had been up: at once, then 1, 2, 4, 8, 16, 30 s. random is in [0,1).
func Redial(wasUp bool, tries int, random float64) time.Duration {
	switch {
	case !wasUp || tries > 5:
		return Jitter(RetryEvery, 0.1, random)
	case tries == 0:
		return 0
	default:
		return Jitter(time.Second<<(tries-1), 0.1, random)
	}
}

// Jitter moves d by at most ± share; random is in [0,1).
func Jitter(d time.Duration, share, random float64) time.Duration {
	return time.Duration(float64(d) * (1 + share*(2*random-1)))
}
