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

// folder holds small files of JSON that are replaced whole: whoever dies, at any instant, leaves the old one or the new one. It is written by one goroutine, in order;
// who reads sees what was asked for last, written or not.
type folder struct {
	dir   string
	tasks chan func()

	mu      sync.Mutex
	changes map[string]*change // by file, the last that was asked for and is not done
}

// change is what a file is to become.
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

// lockFile lies in the same folder and is no small file of an actor's.
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

// save does not wait for the platter: what has to survive is our own death, not the machine's.
func (f *folder) save(name string, data []byte, done func(error)) {
	f.ask(name, &change{data: data, done: done})
}

// remove deletes a file; one that is not there is removed.
func (f *folder) remove(name string, done func(error)) {
	f.ask(name, &change{remove: true, done: done})
}

// ask puts a change behind all others.
func (f *folder) ask(name string, c *change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case f.tasks <- func() { c.done(f.do(name, c)) }:
		f.changes[name] = c
	default:
		go c.done(errDiskBehind)
	}
}

// do makes a change.
func (f *folder) do(name string, c *change) (err error) {
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

// page is what the kernel copies at once: who dies has written all of it, or nothing.
const page = 4096

// replace writes beside the file and renames; but what fits a page fills one, with spaces, and is written over the one that is there. To make a file may take a disk
// fifty times as long, and a full one may refuse it.
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

// flush waits until all that was asked for so far is done, for limit at most.
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
		return fmt.Errorf("disk is too slow: what was to be written is not within %v", limit)
	}
}

// load reads a file; one that is not there is nil.
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

// list names every file in order.
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
