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

// Limits are the bytes on disk that are kept; 0 is no limit.
type Limits struct {
	Run   int64 // of one run; beyond it the oldest lines are freed, a quarter at a time
	Ended int64 // of all ended runs together; beyond it the oldest files are removed
}

// endedMax is the number of ended runs that are kept, however small.
const endedMax = 1000

// ErrNoHoles reports that a file was rewritten because no hole can be punched: output of its bot in
// that moment may be lost.
var ErrNoHoles = errors.New("this file system punches no holes: lines written while a file is cut may be lost")

// errNoLimit reports that rewriting frees nothing either.
var errNoLimit = errors.New("this file system frees nothing of a file that grows: its limit cannot be kept")

// Keeper keeps the files of a folder within limits.
type Keeper struct {
	Dir    string
	Limits Limits

	hopeless bool // the file system can free nothing: not tried again
}

// Pass checks every file once, and frees what is over the limits. Call it about every second: in
// between a file grows without a limit. What fails is in err, and everything else is done. The file
// of a displaced writer (Displaced) is kept within its limit, too, and returned by its writer.
func (k *Keeper) Pass(writers []Writer) (displaced map[Writer]string, err error) {
	files, err := Files(k.Dir)
	errs := []error{err}
	var ended []logFile
	for _, f := range files {
		info, err := os.Stat(f.Path)
		if err != nil {
			continue // removed in between
		}
		l := logFile{f.Path, info.ModTime(), onDisk(info)}
		if k.Limits.Run > 0 && l.size > k.Limits.Run && !k.hopeless {
			errs = append(errs, k.trim(f.Path))
		}
		ended = append(ended, l)
	}
	displaced = map[Writer]string{}
	here := idsOf(files)
	for _, w := range writers {
		f, name := openDisplaced(w, here)
		if f == nil {
			continue
		}
		displaced[w] = name
		if info, err := f.Stat(); err == nil && k.Limits.Run > 0 && onDisk(info) > k.Limits.Run && !k.hopeless {
			errs = append(errs, k.free(f, name))
		}
		_ = f.Close()
	}
	return displaced, errors.Join(append(errs, k.forget(ended))...)
}

// logFile is a file on disk.
type logFile struct {
	path    string
	written time.Time
	size    int64
}

// onDisk returns the space that a file takes on disk: holes take none.
func onDisk(info fs.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Blocks * 512 // stat(2): whatever the file system's own blocks are
	}
	return info.Size()
}

// trim frees the oldest lines of a run.
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
	upTo, err := lineAfter(f, info.Size()-k.Limits.Run/4*3)
	if err == nil {
		err = punch(f, upTo)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		if err = rewrite(f); err == nil {
			err = ErrNoHoles
			if info, e := f.Stat(); e == nil && onDisk(info) > k.Limits.Run {
				k.hopeless, err = true, errNoLimit
			}
		}
	}
	if err != nil {
		return fmt.Errorf("log of a bot: %s: %w", name, err)
	}
	return nil
}

// forget deletes ended runs, the oldest first, until the rest is within the limits.
func (k *Keeper) forget(ended []logFile) (err error) {
	if k.within(ended) {
		return nil // the files that are not finished would not change that
	}
	ended = slices.DeleteFunc(ended, func(l logFile) bool { return !isFinished(l.path) })
	slices.SortFunc(ended, func(a, b logFile) int { return a.written.Compare(b.written) })
	for ; !k.within(ended); ended = ended[1:] {
		if e := os.Remove(ended[0].path); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = fmt.Errorf("log of a bot: %w", e)
		}
	}
	return err
}

// within reports whether these files may be kept.
func (k *Keeper) within(ended []logFile) bool {
	var size int64
	for _, l := range ended {
		size += l.size
	}
	return len(ended) == 0 || len(ended) <= endedMax && (k.Limits.Ended == 0 || size <= k.Limits.Ended)
}

// isFinished is finished, for a path.
func isFinished(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return finished(f)
}
