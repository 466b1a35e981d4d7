//go:build !linux

package ipc

import "time"

// Uptime is unknown here.
func Uptime() time.Duration { return 0 }
