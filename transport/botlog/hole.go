package botlog

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// tailMax is the part of a file's end that is always kept, and the distance in which the end of a
// line is searched.
const tailMax = 64 << 10

// lineAfter returns the start of the first line at or after an offset; the offset itself if the
// line has no end.
func lineAfter(f *os.File, at int64) (int64, error) {
	if at <= 0 {
		return 0, nil
	}
	b := make([]byte, tailMax)
	n, err := f.ReadAt(b, at-1) // its newline may be the byte before
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	return at + int64(max(bytes.IndexByte(b[:n], '\n'), 0)), nil
}

// rewrite frees a file where no hole can be punched, and keeps its tail: it truncates the file,
// restores its length and writes the tail at its old offset. Readers and writers continue at their
// offsets. What is appended between the reading of the tail and the truncation is lost, and what is
// appended before the length is restored is misplaced.
func rewrite(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	from, err := lineAfter(f, info.Size()-tailMax)
	if err != nil {
		return err
	}
	tail, err := io.ReadAll(io.LimitReader(io.NewSectionReader(f, from, 1<<62), 2*tailMax))
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	if len(tail) > 0 { // restores the length in the same step
		if _, err = f.WriteAt(tail, from); err == nil {
			return nil
		}
	}
	return errors.Join(err, f.Truncate(from+int64(len(tail))))
}
