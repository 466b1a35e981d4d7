package botlog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/discluster/control/messages"
)

// Writer is a process that was given a file of the folder for its output.
type Writer struct {
	Cluster messages.ClusterID
	PID     int
}

// fileID tells one file from another, whatever they are called.
type fileID struct{ dev, inode uint64 }

func idOf(info os.FileInfo) (id fileID, known bool) {
	stat, known := info.Sys().(*syscall.Stat_t)
	if !known || !info.Mode().IsRegular() {
		return id, false
	}
	return fileID{stat.Dev, stat.Ino}, true
}

// Astray returns the file that a writer has open for its output where that is no longer one of the
// folder's: another program removed it, or gave it another name, and what is written goes on into
// it. name is what the kernel calls it; "" where all is well, where it cannot be known, and where
// the bot itself sent its output elsewhere.
func Astray(dir string, w Writer) (name string) {
	files, _ := Files(dir)
	f, name := openAstray(w, idsOf(files))
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

// openAstray is Astray for a folder with these files; the file is open for freeing.
func openAstray(w Writer, here map[fileID]bool) (f *os.File, name string) {
	for _, fd := range []int{1, 2} {
		link := fmt.Sprintf("/proc/%d/fd/%d", w.PID, fd)
		info, err := os.Stat(link)
		if err != nil {
			continue // it is gone, or another user's
		}
		id, known := idOf(info)
		if !known || here[id] {
			continue
		}
		name, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(filepath.Base(name), fmt.Sprintf("cluster-%d-", w.Cluster)) {
			continue // the bot's own
		}
		if f, err = os.OpenFile(link, os.O_RDWR, 0); err != nil {
			continue
		}
		if !over(f) { // proc locked it for the bot
			return f, name
		}
		_ = f.Close()
	}
	return nil, ""
}
