//go:build !linux

package guest

import (
	"errors"
	"os"
)

// Identity returns 0: it is of no use here.
func Identity(*os.File) uint64 { return 0 }

// Take fails: no file of another process can be taken here.
func Take(int, int, uint64) (*os.File, error) { return nil, errors.ErrUnsupported }
