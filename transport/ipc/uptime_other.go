//go:build !linux

package ipc

import "time"

// Uptime returns 0: unknown here.
func Uptime() time.Duration { return 0 }
