package plan

import "time"

// The pauses between two searches for a process of which it is unknown whether it lives.
const (
	searchFirst = time.Second
	searchMost  = 30 * time.Second
)

// SearchAgain returns how long to wait after a search that found no answer, the first being number
// 0. random is in [0,1).
func SearchAgain(number int, random float64) time.Duration {
	return Jitter(min(searchFirst<<min(number, 10), searchMost), jitter, random)
}
