package machine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// folder stores small JSON files that are replaced whole: a process that dies at any instant leaves
// the old or the new one. One goroutine writes them in order; load returns the last data saved,
// written or not.
type folder struct {
	dir   string
	tasks chan func()

	mu      sync.Mutex
	changes map[string]*change // by file, the last one that waits
}

// change is a write or a removal of a file.
type change struct {
	data   []byte
	remove bool
	done   func(error)
}

// Limits of a folder.
const (
	folderQueue = 4096 // changes: some of every cluster of a large machine at once
	fileMax     = 64 << 20
)

var errDiskBehind = fmt.Errorf("disk is too slow: %d writes are waiting", folderQueue)

func newFolder(dir string) *folder {
	f := &folder{dir: dir, tasks: make(chan func(), folderQueue), changes: map[string]*change{}}
	go func() {
		for task := range f.tasks {
			task()
		}
	}()
	return f
}

// save does not sync to the disk: a file survives the death of CONTROL, not that of the machine.
func (f *folder) save(name string, data []byte, done func(error)) {
	f.enqueue(name, &change{data: data, done: done})
}

// remove deletes a file. A missing file is no error.
func (f *folder) remove(name string, done func(error)) {
	f.enqueue(name, &change{remove: true, done: done})
}

// enqueue adds a change to the queue. done gets errDiskBehind if that is full.
func (f *folder) enqueue(name string, c *change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case f.tasks <- func() { c.done(f.apply(name, c)) }:
		f.changes[name] = c
	default:
		go c.done(errDiskBehind)
	}
}

// apply writes or removes a file.
func (f *folder) apply(name string, c *change) (err error) {
	path := filepath.Join(f.dir, name)
	if c.remove {
		if err = os.Remove(path); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	} else {
		err = replace(path, c.data)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changes[name] == c {
		delete(f.changes, name)
	}
	return err
}

// page is the size that the kernel copies at once: a process that dies has written all of it or
// nothing.
const page = 4096

// replace writes a new file and renames it. Data that fits a page is padded to one with spaces and
// overwrites the page in place: creating a file can take a disk fifty times as long, and a full one
// refuses it.
func replace(path string, data []byte) error {
	if len(data) <= page {
		data = append(bytes.Clone(data), bytes.Repeat([]byte(" "), page-len(data))...)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() == page {
			return write(path, data, 0)
		}
	}
	const fresh = os.O_CREATE | os.O_TRUNC
	err := write(path+".new", data, fresh)
	if errors.Is(err, fs.ErrNotExist) { // the folder was removed
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = write(path+".new", data, fresh)
		}
	}
	if err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// write writes data to the beginning of a file, opened with these flags. It does not wait for the
// other end of a pipe of this name.
func write(path string, data []byte, flags int) error {
	f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK|flags, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	return errors.Join(err, f.Close())
}

// flush waits until every queued change is done, for limit at most.
func (f *folder) flush(limit time.Duration) error {
	late := time.After(limit)
	done := make(chan struct{})
	select {
	case f.tasks <- func() { close(done) }:
	case <-late:
		return errDiskBehind
	}
	select {
	case <-done:
		return nil
	case <-late:
		return fmt.Errorf("disk is too slow: writes did not end within %v", limit)
	}
}

// load returns the data of a file, nil if there is none.
func (f *folder) load(name string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.changes[name]; c != nil {
		return c.data, nil
	}
	data, err := ReadFile(filepath.Join(f.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return bytes.TrimRight(data, " "), err
}

// ReadFile returns the content of a file in a state folder, of fileMax bytes at most. It refuses
// what is no regular file: reading a pipe or a device may never end.
func ReadFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // opening a pipe would wait for its other end
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	info, err := f.Stat()
	if err == nil {
		err = stateFile(path, info)
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, fileMax))
}

// stateFile returns why a file cannot be one of a state folder; nil: it can.
func stateFile(path string, info fs.FileInfo) error {
	kind := "a device"
	switch m := info.Mode(); {
	case m.IsRegular() && info.Size() > fileMax:
		return fmt.Errorf("%s: %d bytes, at most %d", path, info.Size(), fileMax)
	case m.IsRegular():
		return nil
	case m.IsDir():
		kind = "a folder"
	case m&fs.ModeNamedPipe != 0:
		kind = "a named pipe"
	}
	return fmt.Errorf("%s is %s; a state file is a regular file: remove it", path, kind)
}

// list returns the names of all files, sorted.
func (f *folder) list() ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	entries, err := os.ReadDir(f.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	names := map[string]bool{}
	for _, e := range entries {
		if name := e.Name(); e.Type().IsRegular() && name != lockFile && !strings.HasSuffix(name, ".new") && name[0] != '.' {
			names[name] = true
		}
	}
	for name, c := range f.changes {
		names[name] = true
		if c.remove {
			delete(names, name)
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}
