//go:build unix && !linux

package botlog

import (
	"os"

	"github.com/discluster/control/messages"
)

// Writer is a process that writes its output to a file of the folder.
type Writer struct {
	Cluster messages.ClusterID
	PID     int
}

// Displaced returns "": the open files of another process are unknown here.
func Displaced(string, Writer) (name string) { return "" }

type fileID struct{}

func idsOf([]File) map[fileID]bool { return nil }

func openDisplaced(Writer, map[fileID]bool) (f *os.File, name string) { return nil, "" }
