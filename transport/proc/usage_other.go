//go:build !linux

package proc

// Usage is not known here.
func Usage(int) (Used, bool) { return Used{}, false }
