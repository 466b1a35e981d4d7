// Package botlog is what bots write: one file a life, which the bot itself appends to (transport/proc opens it), kept within limits and read while it grows.
//
// A file is never renamed, and what is in it stays at its offset: over its limit the oldest lines are freed where they stand, by a hole at the head of the file. So its length
// tells what was ever written and its blocks what is kept; whoever reads it, `control logs` or a shipper of logs, goes on at his offset; it takes no room on a full disk, no
// second copy of a byte, and there is nothing to remember: the next life of CONTROL goes on where this one ended. (ext4 ends a file at 16 TiB, half a year of a life
// that writes 1 MiB a second.)
//
//	keep.go   limits: of a life, of all that are over
//	astray_linux.go  files that another program removed or renamed
//	hole.go   what is freed, and how where no hole can be punched
//	life.go   reading one file
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

// File is the output of one life of a cluster.
type File struct {
	Cluster messages.ClusterID
	Started time.Time // the life's
	Path    string
}

// startedForm is how a name tells the start of a life.
const startedForm = "20060102T150405.000"

// parse reads a name as actors give it: cluster-3-20261123T063434.000.log.
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

// Files lists the lives of a folder, by cluster and then by their start. A folder that is not there has none.
func Files(dir string) ([]File, error) {
	entries, err := os.ReadDir(dir) // by name, so those of a cluster come in order
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

// over reports whether nobody can write to the file any more: proc holds it locked from before the fork, and the lock lives in the descriptor that the bot has
// got, whoever of its children holds it, and whatever becomes of us. Where nobody can tell, it is not over.
func over(f *os.File) bool {
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return false
	}
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	return true
}
