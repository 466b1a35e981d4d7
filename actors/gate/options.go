package gate

import (
	"time"
)

// Options holds the operator's settings for pacing identifies.
type Options struct {
	TTL    time.Duration // validity of a permit
	Margin time.Duration // added to Discord's 5 s between identifies
}
