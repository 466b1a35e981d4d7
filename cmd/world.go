package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/ipc"
	"github.com/discluster/control/transport/master"
	"github.com/discluster/control/transport/proc"
)

// newWorld is the machine's own World, with its small files in the folder state.
func newWorld(state string, log zerolog.Logger) *world.World {
	files := newFolder(state)
	return &world.World{
		After: func(d time.Duration, fn func()) func() {
			t := time.AfterFunc(max(d, 0), fn)
			return func() { t.Stop() }
		},
		Dial:   dial,
		Listen: master.Listen,
		Start:  proc.Start,
		Save:   files.save,
		Load:   files.load,
		Unlink: func(path string) { go unlinkSocket(path) },
		Fetch:  fetch,
		Rand:   rand.Float64,
		Log:    log,
	}
}

func dial(to transport.Target, done func(transport.Link, error)) func() {
	if path, socket := strings.CutPrefix(to.URL, "unix:"); socket {
		return ipc.Dial(path, done)
	}
	return master.Dial(to, done)
}

func unlinkSocket(path string) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		_ = os.Remove(path) // what is left is a dead name in a folder of ours
	}
}

func fetch(r world.Request, done func(world.Response, error)) func() {
	ctx, cancel := context.WithTimeout(context.Background(), r.Timeout)
	go func() {
		defer cancel()
		done(fetchNow(ctx, r))
	}()
	return cancel
}

func fetchNow(ctx context.Context, r world.Request) (world.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return world.Response{}, err
	}
	for name, value := range r.Header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return world.Response{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, world.ResponseMax+1))
	switch {
	case err != nil:
		return world.Response{}, fmt.Errorf("%s %s: %w", r.Method, r.URL, err)
	case len(body) > world.ResponseMax:
		return world.Response{}, fmt.Errorf("%s %s: answer over %d bytes", r.Method, r.URL, world.ResponseMax)
	}
	return world.Response{Status: resp.StatusCode, Body: body}, nil
}

// folder holds small files that are replaced whole: whoever dies, at any instant, leaves the old one or the new one. It is written by one goroutine, in order.
type folder struct {
	dir   string
	tasks chan func()
}

// Limits of a folder.
const (
	folderQueue = 256
	fileMax     = 64 << 20
)

var errDiskBehind = errors.New("disk is too slow: 256 writes are waiting")

func newFolder(dir string) *folder {
	f := &folder{dir: dir, tasks: make(chan func(), folderQueue)}
	go func() {
		for task := range f.tasks {
			task()
		}
	}()
	return f
}

// save writes beside the file and renames. It does not wait for the platter: what has to survive is our own death, not the machine's.
func (f *folder) save(name string, data []byte, done func(error)) {
	select {
	case f.tasks <- func() { done(f.replace(name, data)) }:
	default:
		go done(errDiskBehind)
	}
}

func (f *folder) replace(name string, data []byte) (err error) {
	path := filepath.Join(f.dir, name)
	if err = os.WriteFile(path+".new", data, 0o600); err == nil {
		err = os.Rename(path+".new", path)
	}
	return err
}

func (f *folder) load(name string) ([]byte, error) {
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
	return os.ReadFile(path)
}
