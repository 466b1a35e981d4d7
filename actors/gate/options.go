package gate

import (
	"time"
)

// IdentifyOptions is how identifies are paced.
type Options struct {
	TTL    time.Duration // how long a permit may be used
	Margin time.Duration // beyond Discord's 5 s
}
