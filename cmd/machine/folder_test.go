package machine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// settled waits until every change of f is done.
func settled(t *testing.T, f *folder) {
	t.Helper()
	done := make(chan error)
	f.remove("no such file", func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	for _, other := range []string{lockFile, "torn.new", ".probe-1"} {
		if err := os.WriteFile(filepath.Join(dir, other), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	f := newFolder(dir)
	hold := make(chan struct{}) // the first look is before anything is written
	f.tasks <- func() { <-hold }
	failed := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	f.save("a", []byte("1"), failed)
	f.save("b", []byte("1"), failed)
	f.save("a", []byte("2"), failed)
	f.remove("b", failed)
	f.save("c", []byte("3"), failed)
	look := func(when string) {
		t.Helper()
		if names, err := f.list(); err != nil || !slices.Equal(names, []string{"a", "c"}) {
			t.Errorf("%s: got %v, %v", when, names, err)
		}
		for name, want := range map[string]string{"a": "2", "b": "", "c": "3"} {
			if got, err := f.load(name); err != nil || string(got) != want || (got == nil) != (want == "") {
				t.Errorf("%s: %s is %q, %v; want %q", when, name, got, err, want)
			}
		}
	}
	look("before")
	close(hold)
	settled(t, f)
	look("after")
	if len(f.changes) != 0 {
		t.Errorf("left: %v", f.changes)
	}
	f = newFolder(dir)
	look("after a restart")
}

func TestFolderThatCannotBeWritten(t *testing.T) {
	f := newFolder("/proc/no/such/folder") // not even root can create it
	done := make(chan error, 1)
	f.save("a", []byte("1"), func(err error) { done <- err })
	if err := <-done; err == nil {
		t.Error("no error")
	}
	if got, err := f.load("a"); got != nil || err != nil {
		t.Errorf("got %q, %v: it was not written", got, err)
	}
	if names, err := f.list(); len(names) != 0 || err != nil {
		t.Errorf("got %v, %v", names, err)
	}
}

// The next file creates a folder again that another program removed.
func TestFolderThatIsGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "control")
	f := newFolder(dir)
	done := make(chan error, 1)
	f.save("a", []byte("1"), func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got, err := f.load("a"); err != nil || string(got) != "1" {
		t.Errorf("a is %q, %v", got, err)
	}
}

func TestFolderBehind(t *testing.T) {
	f := newFolder(t.TempDir())
	begun, hold := make(chan struct{}), make(chan struct{})
	f.tasks <- func() { close(begun); <-hold }
	<-begun
	done := make(chan error, 2*folderQueue)
	for range 2 * folderQueue {
		f.save("a", nil, func(err error) { done <- err })
	}
	close(hold)
	late := 0
	for range 2 * folderQueue {
		if <-done == errDiskBehind {
			late++
		}
	}
	if late != folderQueue {
		t.Errorf("%d refused, want %d", late, folderQueue)
	}
}

func TestFolderFlush(t *testing.T) {
	f := newFolder(t.TempDir())
	hold := make(chan struct{})
	f.tasks <- func() { <-hold }
	f.save("a", []byte("1"), func(error) {})
	if err := f.flush(time.Millisecond); err == nil {
		t.Error("flushed although the disk hangs")
	}
	close(hold)
	if err := f.flush(time.Minute); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(filepath.Join(f.dir, "a")); strings.TrimSpace(string(got)) != "1" {
		t.Errorf("on disk is %.9q, %v", got, err)
	}
}

// A file that fits a page is overwritten in place and keeps nothing of its old data; a larger one
// becomes another file.
func TestFolderWritesOver(t *testing.T) {
	f := newFolder(t.TempDir())
	path := filepath.Join(f.dir, "a")
	var before os.FileInfo
	for _, c := range []struct {
		size int
		same bool
	}{{1, false}, {page, true}, {10, true}, {page + 1, false}, {10, false}, {0, true}, {3 * page, false}, {2 * page, false}} {
		data := strings.Repeat("x", c.size)
		f.save("a", []byte(data), func(err error) {
			if err != nil {
				t.Error(err)
			}
		})
		settled(t, f)
		if got, err := f.load("a"); err != nil || string(got) != data {
			t.Errorf("%d bytes: %d are read, %v", c.size, len(got), err)
		}
		now, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if before != nil && os.SameFile(before, now) != c.same {
			t.Errorf("%d bytes after %d: the same file: %v", c.size, before.Size(), !c.same)
		}
		before = now
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	f.save("a", []byte("1"), func(error) {})
	settled(t, f)
	if got, err := f.load("a"); err != nil || string(got) != "1" {
		t.Errorf("after a file that was cut off: %q, %v", got, err)
	}
}

// What is no regular file is refused by its name and kind, whatever a state file is used for: a
// read or a write that waits for the other end of a pipe would hang CONTROL.
func TestFolderOfOtherKinds(t *testing.T) {
	for name, c := range map[string]struct {
		make func(path string) error
		want string
	}{
		"pipe":   {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "a named pipe"},
		"folder": {func(path string) error { return os.Mkdir(path, 0o700) }, "a folder"},
		"device": {func(path string) error { return os.Symlink("/dev/zero", path) }, "a device"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t.TempDir())
			path := filepath.Join(f.dir, "a")
			for _, path := range []string{path, filepath.Join(f.dir, lockFile), path + ".new"} {
				if err := c.make(path); err != nil {
					t.Fatal(err)
				}
			}
			_, loaded := f.load("a")
			_, running := RunningIn(f.dir)
			_, locked := LockFolder(f.dir)
			for use, err := range map[string]error{"a": loaded, lockFile: running, lockFile + " ": locked} {
				use = strings.TrimSpace(use)
				if err == nil || !strings.Contains(err.Error(), filepath.Join(f.dir, use)+" is "+c.want+"; a state file is a regular file") {
					t.Errorf("%s: %v", use, err)
				}
			}
			if name == "device" {
				return // what is written there is gone, and the link becomes the file
			}
			f.save("a", []byte("1"), func(err error) {
				if err == nil {
					t.Error("written through another kind of file")
				}
			})
			settled(t, f)
		})
	}
}
