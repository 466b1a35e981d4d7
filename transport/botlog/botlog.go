// Package botlog manages the output of bots: one file a run, which the bot itself appends to
// (transport/proc opens it), kept within limits and read while it grows.
//
// A file is never renamed, and its content stays at its offset: beyond its limit the oldest lines
// are freed by a hole at the head of the file. So its length shows how much was ever written and
// its blocks how much is kept. A reader, `control logs` or a shipper of logs, continues at its
// offset. Freeing needs no room on a full disk, no second copy and no record: the next run of
// CONTROL continues where this one ended. (ext4 ends a file at 16 TiB, half a year of a run that
// writes 1 MiB a second.)
//
//	keep.go   limits: of one run, of all ended runs
//	displaced_linux.go  files that another program removed or renamed
//	hole.go   freeing, also where no hole can be punched
//	reader.go reading one file
//	follow.go reading a folder of them, as they come and go
package botlog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/discluster/control/messages"
)

// File is the output of one run of a cluster.
type File struct {
	Cluster messages.ClusterID
	Started time.Time // of the run
	Path    string
}

// startedForm is the form of a run's start in a file name.
const startedForm = "20060102T150405.000"

// parse reads a file name: cluster-3-20261123T063434.000.log.
func parse(name string) (f File, ok bool) {
	rest, is := strings.CutPrefix(name, "cluster-")
	rest, ends := strings.CutSuffix(rest, ".log")
	id, started, two := strings.Cut(rest, "-")
	at, err := time.Parse(startedForm, started)
	if !is || !ends || !two || err != nil {
		return File{}, false
	}
	cluster, err := strconv.Atoi(id)
	if err != nil || cluster < 0 || strconv.Itoa(cluster) != id {
		return File{}, false
	}
	return File{Cluster: messages.ClusterID(cluster), Started: at}, true
}

// Files lists the runs of a folder, by cluster and then by start. A missing folder has none.
func Files(dir string) ([]File, error) {
	entries, err := os.ReadDir(dir) // by name, so those of a cluster are in order
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("logs of the bots: %w", err)
	}
	var all []File
	for _, e := range entries {
		if f, ok := parse(e.Name()); ok && e.Type().IsRegular() {
			f.Path = filepath.Join(dir, e.Name())
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(a, b File) int { return cmp.Compare(a.Cluster, b.Cluster) })
	return all, nil
}

// finished reports whether no process can write to the file any more. proc locks the file before
// the fork, and the lock belongs to the descriptor of the bot and its children, independently of
// CONTROL. Where this is unknown, the file is not finished.
func finished(f *os.File) bool {
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return false
	}
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	return true
}
