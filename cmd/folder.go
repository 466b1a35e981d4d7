package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	folderQueue = 256
	fileMax     = 64 << 20
)

var errDiskBehind = errors.New("disk is too slow: 256 writes are waiting")

// lockFile is in the same folder, but is not one of its files.
const lockFile = "lock"

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
		if info, err := os.Stat(path); err == nil && info.Size() == page {
			return overwrite(path, data)
		}
	}
	err := os.WriteFile(path+".new", data, 0o600)
	if errors.Is(err, fs.ErrNotExist) { // the folder was removed
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.WriteFile(path+".new", data, 0o600)
		}
	}
	if err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func overwrite(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
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
	path := filepath.Join(f.dir, name)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case info.Size() > fileMax:
		return nil, fmt.Errorf("%s: %d bytes, at most %d", path, info.Size(), fileMax)
	}
	data, err := os.ReadFile(path)
	return bytes.TrimRight(data, " "), err
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
