//go:build !linux

package botlog

import (
	"errors"
	"os"
)

// punch returns an error: only Linux can.
func punch(*os.File, int64) error { return errors.ErrUnsupported }

// dataAfter returns at: freed parts read as zeros here.
func dataAfter(_ *os.File, at int64) int64 { return at }
