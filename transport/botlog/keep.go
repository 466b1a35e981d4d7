package botlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"
)

// Limits is how much is kept, in bytes on disk; 0 is no limit.
type Limits struct {
	Life int64 // of one life; over it the oldest lines go, a quarter at a time
	Past int64 // of all lives together that are over; beyond it they go, the oldest first
}

// pastMax is how many lives that are over are kept, however little they said.
const pastMax = 1000

// ErrNoHoles says that a file could not be freed where it stands, and was cut and mended instead: what its bot wrote in that moment may be lost.
var ErrNoHoles = errors.New("this file system punches no holes: lines written while a file is cut may be lost")

// errNoLimit says that not even that frees anything.
var errNoLimit = errors.New("this file system frees nothing of a file that grows: its limit cannot be kept")

// Keeper keeps the files of a folder within limits.
type Keeper struct {
	Dir    string
	Limits Limits

	hopeless bool // the file system can free nothing: not tried again
}

// Pass looks at every file once, and frees what is over the limits. Call it every second or so: in
// between a file grows without a limit. What cannot be done is an error, and everything else is
// done. The file of a writer that is astray (Astray) is kept within its limit, too, and returned by
// its writer.
func (k *Keeper) Pass(writers []Writer) (astray map[Writer]string, err error) {
	files, err := Files(k.Dir)
	errs := []error{err}
	var past []life
	for _, f := range files {
		info, err := os.Stat(f.Path)
		if err != nil {
			continue // somebody was faster
		}
		l := life{f.Path, info.ModTime(), onDisk(info)}
		if k.Limits.Life > 0 && l.size > k.Limits.Life && !k.hopeless {
			errs = append(errs, k.trim(f.Path))
		}
		past = append(past, l)
	}
	astray = map[Writer]string{}
	here := idsOf(files)
	for _, w := range writers {
		f, name := openAstray(w, here)
		if f == nil {
			continue
		}
		astray[w] = name
		if info, err := f.Stat(); err == nil && k.Limits.Life > 0 && onDisk(info) > k.Limits.Life && !k.hopeless {
			errs = append(errs, k.free(f, name))
		}
		_ = f.Close()
	}
	return astray, errors.Join(append(errs, k.forget(past))...)
}

// life is a file as it is on disk.
type life struct {
	path    string
	written time.Time
	size    int64
}

// onDisk is what a file takes there: what it has of holes costs nothing.
func onDisk(info fs.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Blocks * 512 // stat(2): whatever the file system's own blocks are
	}
	return info.Size()
}

// trim frees the oldest lines of a life.
func (k *Keeper) trim(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("log of a bot: %w", err)
	}
	defer f.Close()
	return k.free(f, path)
}

// free is trim for an open file.
func (k *Keeper) free(f *os.File, name string) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("log of a bot: %w", err)
	}
	upTo, err := lineAfter(f, info.Size()-k.Limits.Life/4*3)
	if err == nil {
		err = punch(f, upTo)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		if err = mend(f); err == nil {
			err = ErrNoHoles
			if info, e := f.Stat(); e == nil && onDisk(info) > k.Limits.Life {
				k.hopeless, err = true, errNoLimit
			}
		}
	}
	if err != nil {
		return fmt.Errorf("log of a bot: %s: %w", name, err)
	}
	return nil
}

// forget deletes lives that are over, the oldest first, until the rest is within the limits.
func (k *Keeper) forget(past []life) (err error) {
	if k.within(past) {
		return nil // those that are not over would not change that
	}
	past = slices.DeleteFunc(past, func(l life) bool { return !isOver(l.path) })
	slices.SortFunc(past, func(a, b life) int { return a.written.Compare(b.written) })
	for ; !k.within(past); past = past[1:] {
		if e := os.Remove(past[0].path); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = fmt.Errorf("log of a bot: %w", e)
		}
	}
	return err
}

// within reports whether so many lives may be kept.
func (k *Keeper) within(past []life) bool {
	var size int64
	for _, l := range past {
		size += l.size
	}
	return len(past) == 0 || len(past) <= pastMax && (k.Limits.Past == 0 || size <= k.Limits.Past)
}

// isOver is over, for a path.
func isOver(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return over(f)
}
