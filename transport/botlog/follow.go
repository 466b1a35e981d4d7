package botlog

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/discluster/control/messages"
)

// Follower reads the runs of a folder's clusters as they come, grow and go. Begin, then Round as
// often as there may be output, and Close are called by one goroutine, which also calls Emit.
type Follower struct {
	Dir  string
	Only []messages.ClusterID // empty: all
	Emit func(Line)

	open map[string]*reader // by path; closed when their bots are gone
	read map[string]bool    // to the end
	last map[messages.ClusterID]string
	buf  []byte
}

// Begin makes the rounds start at the last lines of each cluster, including previous runs where the
// last one has fewer.
func (w *Follower) Begin(lines int) error {
	w.open, w.read, w.last, w.buf = map[string]*reader{}, map[string]bool{}, map[messages.ClusterID]string{}, make([]byte, chunkMax)
	files, err := w.files()
	if err != nil {
		return err
	}
	left := map[messages.ClusterID]int{}
	for _, file := range slices.Backward(files) {
		if _, met := left[file.Cluster]; !met {
			left[file.Cluster] = lines
		}
		r, err := w.begin(file)
		if err != nil {
			return err
		}
		if r == nil {
			continue
		}
		ended := finished(r.f)
		at, n, err := linesBack(r.f, left[file.Cluster], w.buf)
		if err != nil {
			return fmt.Errorf("log of cluster %d: %w", file.Cluster, err)
		}
		left[file.Cluster] -= n
		if r.at = at; n == 0 && at > 0 && ended { // an empty one may not be locked so far
			w.end(r)
		}
	}
	return nil
}

// files returns those that are read.
func (w *Follower) files() ([]File, error) {
	files, err := Files(w.Dir)
	if len(w.Only) > 0 {
		files = slices.DeleteFunc(files, func(f File) bool { return !slices.Contains(w.Only, f.Cluster) })
	}
	return files, err
}

// begin opens a file; nil: it was deleted.
func (w *Follower) begin(file File) (*reader, error) {
	f, err := os.Open(file.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("log of cluster %d: %w", file.Cluster, err)
	}
	r := &reader{File: file, f: f}
	r.emit = func(l Line) {
		if before := w.last[file.Cluster]; before != "" && before != file.Path {
			w.Emit(Line{Cluster: file.Cluster, Text: file.Started.AppendFormat(nil, "the process that started 2006-01-02 15:04:05 UTC:"), Note: true})
		}
		w.last[file.Cluster] = file.Path
		w.Emit(l)
	}
	w.open[file.Path] = r
	return r, nil
}

// Round reads what was written since the last one, of each run in turn. more: there is more to
// read. Files that cannot be read are reported by err, and the others are read.
func (w *Follower) Round() (more bool, err error) {
	files, err := w.files()
	errs := []error{err}
	there := map[string]bool{}
	for _, file := range files {
		there[file.Path] = true
		r := w.open[file.Path]
		if w.read[file.Path] {
			continue
		}
		if r == nil {
			if r, err = w.begin(file); r == nil {
				errs = append(errs, err)
				continue
			}
		}
		before, ended := r.finished, finished(r.f)
		m, err := r.round(w.buf)
		errs = append(errs, err)
		more, r.finished = more || m, ended
		if before && ended && !m { // seen twice: a new file is created before it is locked
			w.end(r)
		}
	}
	for path, r := range w.open {
		if !there[path] { // deleted: it was finished, or is not wanted any more
			_, err := r.round(w.buf)
			errs = append(errs, err)
			w.end(r)
		}
	}
	for path := range w.read {
		if !there[path] {
			delete(w.read, path)
		}
	}
	return more, errors.Join(errs...)
}

// end closes a finished file.
func (w *Follower) end(r *reader) {
	r.finish()
	_ = r.f.Close()
	delete(w.open, r.Path)
	w.read[r.Path] = true
}

// Close emits the lines that have no end, and closes all files.
func (w *Follower) Close() {
	for _, path := range slices.Sorted(maps.Keys(w.open)) {
		w.end(w.open[path])
	}
}
