//go:build unix && !linux

package proc

import (
	"errors"
	"fmt"
)

// locate fails: it needs /proc.
func locate(Mark) (c child, dead bool, err error) {
	return child{}, false, fmt.Errorf("find a process of an earlier run: %w", errors.ErrUnsupported)
}

// forget releases a child.
func (c *child) forget() {}

// sweep does nothing without /proc.
func sweep(Mark) (int, error) { return 0, nil }

// end does nothing without /proc.
func end(running, ...string) (int, error) { return 0, nil }

type running struct{}

func alreadyRunning() running { return running{} }

// boot returns "": it needs /proc.
func boot() string { return "" }

// Intent returns an empty mark.
func Intent() Mark { return Mark{} }

// Holders returns nothing: it needs /proc.
func Holders(string) ([]string, error) { return nil, nil }
