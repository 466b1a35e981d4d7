package botlog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/discluster/control/messages"
)

// Writer is a process that writes its output to a file of the folder.
type Writer struct {
	Cluster messages.ClusterID
	PID     int
}

// fileID identifies a file independently of its name.
type fileID struct{ dev, inode uint64 }

func idOf(info os.FileInfo) (id fileID, known bool) {
	stat, known := info.Sys().(*syscall.Stat_t)
	if !known || !info.Mode().IsRegular() {
		return id, false
	}
	return fileID{stat.Dev, stat.Ino}, true
}

// Displaced returns the file that a writer has open for its output if that is no longer one of the
// folder's: another program removed or renamed it, and the writer keeps writing into it. name is
// the kernel's name of it; "" where the file is in its place, where this is unknown, and where the
// bot itself redirected its output.
func Displaced(dir string, w Writer) (name string) {
	files, _ := Files(dir)
	f, name := openDisplaced(w, idsOf(files))
	if f != nil {
		_ = f.Close()
	}
	return name
}

func idsOf(files []File) map[fileID]bool {
	ids := map[fileID]bool{}
	for _, f := range files {
		if info, err := os.Stat(f.Path); err == nil {
			if id, known := idOf(info); known {
				ids[id] = true
			}
		}
	}
	return ids
}

// openDisplaced is Displaced for a folder with these files; the file is open for freeing.
func openDisplaced(w Writer, here map[fileID]bool) (f *os.File, name string) {
	for _, fd := range []int{1, 2} {
		link := fmt.Sprintf("/proc/%d/fd/%d", w.PID, fd)
		info, err := os.Stat(link)
		if err != nil {
			continue // the process is gone, or another user's
		}
		id, known := idOf(info)
		if !known || here[id] {
			continue
		}
		name, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(filepath.Base(name), fmt.Sprintf("cluster-%d-", w.Cluster)) {
			continue // the bot redirected it
		}
		if f, err = os.OpenFile(link, os.O_RDWR, 0); err != nil {
			continue
		}
		if !finished(f) { // proc locked it for the bot
			return f, name
		}
		_ = f.Close()
	}
	return nil, ""
}
