package botlog

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// punch frees everything before an offset, and changes neither the rest nor the length. It blocks a
// writer only while the kernel frees.
func punch(f *os.File, upTo int64) error {
	if upTo <= 0 {
		return nil
	}
	for {
		err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, upTo)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// dataAfter returns the first offset, at or after one, that was not freed, as far as the file
// system reports it; the file's end where there is none.
func dataAfter(f *os.File, at int64) int64 {
	next, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
	switch {
	case err == nil:
		return next
	case errors.Is(err, unix.ENXIO):
		if info, err := f.Stat(); err == nil {
			return max(at, info.Size())
		}
	}
	return at
}
