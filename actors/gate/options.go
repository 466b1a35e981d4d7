package gate

import (
	"time"
)

// Options holds the operator's settings for pacing identifies.
type Options struct {
	TTL    time.Duration // validity of a permit
	Margin time.Duration // added to Discord's 5 s between identifies
	// Survivors: processes of an earlier run of CONTROL may be running. Without a record of the last
	// identifies, they may have been now.
	Survivors bool
}
