//go:build unix && !linux

package proc

import (
	"errors"
	"fmt"
)

// locate cannot be done without /proc.
func locate(Mark) (c child, dead bool, err error) {
	return child{}, false, fmt.Errorf("find a process of an earlier life: %w", errors.ErrUnsupported)
}

// forget lets go of a child.
func (c *child) forget() {}

// sweep has nothing to look at without /proc.
func sweep(Mark) (int, error) { return 0, nil }

// end has nothing to look at without /proc.
func end(...string) (int, error) { return 0, nil }

// boot is unknown without /proc.
func boot() string { return "" }

// Intent is the mark of a process that is about to be started.
func Intent() Mark { return Mark{} }

// Holders cannot be listed without /proc.
func Holders(string) ([]string, error) { return nil, nil }
