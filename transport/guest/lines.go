package guest

import "bytes"

// Limits of a line, in bytes.
const (
	// LineMax is that of a frame of CONTROL's IPC: nothing longer is passed on
	LineMax = 8 << 20
	// LongMax is up to where a longer line of a bot is read, so that its call fails: the answer
	// repeats parts of it
	LongMax = 4 * LineMax
)

// Lines makes lines of what a bot writes, however it is cut. A rest without a newline is no line:
// node leaves one when a process ends while it writes.
type Lines struct {
	rest []byte
	long bool // the rest of a line over LongMax is being skipped
}

// Add takes the next bytes. It calls line for each complete line, without its newline, and long for
// each line over LongMax. The lines are parts of the bytes, or valid until the next Add.
func (l *Lines) Add(part []byte, line func([]byte), long func()) {
	for len(part) > 0 {
		here, after, whole := bytes.Cut(part, []byte("\n"))
		part = after
		switch {
		case l.long:
			l.long = !whole
		case len(l.rest)+len(here) > LongMax:
			l.rest, l.long = nil, !whole
			long()
		case !whole:
			l.rest = append(l.rest, here...)
		case len(l.rest) == 0:
			line(here)
		default:
			line(append(l.rest, here...))
			if l.rest = l.rest[:0]; cap(l.rest) > 1<<20 {
				l.rest = nil
			}
		}
	}
}
