package botlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/discluster/control/messages"
)

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"cluster-10-20261123T063434.000.log", "cluster-2-20261123T063435.000.log", "cluster-2-20261123T063434.999.log",
		"cluster-2-20261123T063434.999.log.gz", "cluster-2-yesterday.log", "cluster--20261123T063434.000.log", "cluster--1-20261123T063434.000.log",
		"cluster-02-20261123T063434.000.log", "cluster-2.log", "control.log", ".probe-1", ".next",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "cluster-3-20261123T063434.000.log"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("cluster-2.log", filepath.Join(dir, "cluster-4-20261123T063434.000.log")); err != nil {
		t.Fatal(err)
	}
	files, err := Files(dir)
	var got []string
	for _, f := range files {
		got = append(got, fmt.Sprint(f.Cluster, f.Started.Format(" 05.000")))
	}
	if want := []string{"2 34.999", "2 35.000", "10 34.000"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// follower reads a folder; heard returns the lines since its last call.
func follower(t *testing.T, dir string, lines int, only ...messages.ClusterID) (w *Follower, heard func() string) {
	t.Helper()
	var all []string
	w = &Follower{Dir: dir, Only: only, Emit: func(l Line) {
		if l.Note {
			all = append(all, "note")
			return
		}
		all = append(all, fmt.Sprintf("%d:%s", l.Cluster, l.Text))
	}}
	if err := w.Begin(lines); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w, func() string {
		t.Helper()
		all = nil
		for range 2 { // a finished file is closed at the second round
			if more, err := w.Round(); err != nil || more {
				t.Fatal(more, err)
			}
		}
		return strings.Join(all, " ")
	}
}

func TestFollower(t *testing.T) {
	dir := t.TempDir()
	life := func(cluster, second int) *os.File { return create(t, file(dir, cluster, second)) }
	want := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	old, zero, one := life(0, 1), life(0, 2), life(1, 2)
	fmt.Fprint(old, "a\nb\nc\n")
	old.Close()
	fmt.Fprint(zero, "d\n")
	fmt.Fprint(one, "x\ny\nz\nhalf")

	w, heard := follower(t, dir, 3)
	want(heard(), "0:b 0:c note 0:d 1:y 1:z")
	_, alone := follower(t, dir, 0, 1)
	want(alone(), "")
	fmt.Fprint(one, " a line\n")
	fmt.Fprint(zero, "e\n")
	want(heard(), "0:e 1:half a line")
	want(alone(), "1: a line") // it was read when half was written

	next := life(0, 3) // while the previous one goes on: a rolling restart
	fmt.Fprint(next, "g\n")
	fmt.Fprint(zero, "f")
	want(heard(), "note 0:g")
	zero.Close()
	want(heard(), "note 0:f")
	fmt.Fprint(next, "h\n")
	want(heard(), "note 0:h")

	if err := os.Remove(file(dir, 0, 3)); err != nil { // with unread lines
		t.Fatal(err)
	}
	fmt.Fprint(next, "i\n")
	want(heard(), "0:i")
	if len(w.open) != 1 || len(w.read) != 2 {
		t.Errorf("%d files are open and %d are known to be over, want that of cluster 1, and two of cluster 0", len(w.open), len(w.read))
	}
	fmt.Fprint(one, "last")
	want(heard(), "")
	w.Close()
	if len(w.open) != 0 {
		t.Errorf("%d files are open", len(w.open))
	}
}

// A new file that is not locked so far is not finished.
func TestFollowerOfAFileThatIsJustMade(t *testing.T) {
	dir := t.TempDir()
	heard := ""
	w := &Follower{Dir: dir, Emit: func(l Line) { heard += string(l.Text) }}
	if err := w.Begin(0); err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	path := file(dir, 0, 1)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := w.Round(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(create(t, path), "a\n")
	}
	if heard != "a" {
		t.Errorf("got %q", heard)
	}
}

// An unreadable file is reported, by its cluster, and the others are read.
func TestFollowerOfWhatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	fmt.Fprint(create(t, file(dir, 1, 1)), "a\n")
	var got []string
	w := &Follower{Dir: dir, Emit: func(l Line) { got = append(got, string(l.Text)) }}
	if err := w.Begin(9); err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	closed, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	create(t, file(dir, 0, 1))
	w.open[file(dir, 0, 1)] = &reader{File: File{Cluster: 0, Path: file(dir, 0, 1)}, f: closed, emit: w.Emit}
	if _, err := w.Round(); !errors.Is(err, os.ErrClosed) || !strings.Contains(err.Error(), "cluster 0") || !slices.Equal(got, []string{"a"}) {
		t.Errorf("got %v, and %q", err, got)
	}
}

func TestOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	bot := create(t, path)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if finished(f) {
		t.Error("over, though it is open to a bot")
	}
	if bot.Close(); !finished(f) || !finished(f) {
		t.Error("not finished, although no process has it open")
	}
	create(t, path) // the check must leave no lock behind
}
