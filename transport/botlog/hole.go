package botlog

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// tailMax is how much of the end of a file is always kept, and how far is looked for the end of a line.
const tailMax = 64 << 10

// lineAfter is the beginning of the first line at or after an offset; of a line without an end, the offset itself.
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

// mend frees a file where no hole can be punched, and keeps its tail: the file is cut to nothing, made as long again, and the tail written where it was. Whoever reads or
// appends goes on at his offset; what is appended between the reading of the tail and the cut is lost, and what comes before the file is long again is misplaced.
func mend(f *os.File) error {
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
	if len(tail) > 0 { // in one step with the length
		if _, err = f.WriteAt(tail, from); err == nil {
			return nil
		}
	}
	return errors.Join(err, f.Truncate(from+int64(len(tail))))
}
