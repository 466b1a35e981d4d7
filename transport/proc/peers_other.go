//go:build unix && !linux

package proc

import (
	"errors"
	"net/netip"
)

// Peers fails: it needs /proc.
func Peers(int) ([]netip.AddrPort, error) { return nil, errors.ErrUnsupported }
