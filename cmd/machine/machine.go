package machine

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/cmd/logbook"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/admin"
	"github.com/discluster/control/transport/ipc"
	"github.com/discluster/control/transport/master"
	"github.com/discluster/control/transport/proc"
)

// Machine is the World of this machine, with its small files in one folder.
type Machine struct {
	*world.World
	files *folder
	boxes *mailboxes
	links *links
	cpu   *pressure
}

// New returns a World of this machine that keeps its files in dir and writes to log. Close it.
func New(dir string, log zerolog.Logger) *Machine {
	m := &Machine{files: newFolder(dir), boxes: newMailboxes(), links: &links{}, cpu: newPressure()}
	m.World = &world.World{
		Clocks: world.NewClocks(time.Now),
		After: func(d time.Duration, fn func()) func() {
			t := time.AfterFunc(max(d, 0), fn)
			return func() { t.Stop() }
		},
		Dial:   m.links.dial,
		Listen: m.links.listen,
		Start:  proc.Start,
		Find:   proc.Find,
		Intent: proc.Intent,
		Holders: func(prefix string, done func([]string, error)) {
			go func() { done(proc.Holders(prefix)) }()
		},
		Save:    m.files.save,
		Load:    m.files.load,
		Remove:  m.files.remove,
		List:    m.files.list,
		Grep:    grep,
		Hook:    hook,
		Unlink:  func(path string) { go unlinkSocket(path) },
		Fetch:   fetch,
		Uptime:  ipc.Uptime,
		Rand:    rand.Float64,
		Starved: m.cpu.starved,
		Props:   m.boxes.props,
		Log:     log,
		Secrets: logbook.Secrets,
	}
	return m
}

// Mailboxes returns how many messages wait, by the kind of actor: "cluster" for all clusters.
func (m *Machine) Mailboxes() map[string]int { return m.boxes.depths() }

// Links returns the traffic of all links, by their kind: "master" and "ipc".
func (m *Machine) Links() map[string]admin.Traffic { return m.links.figures() }

// WatchCPU looks every second whether this machine is short of CPU time, until ended is closed.
// Without it, World.Starved reports false.
func (m *Machine) WatchCPU(ended <-chan struct{}) { m.cpu.watch(ended) }

// Close waits until the links have closed, then until every file is written, for limit at most.
// Call it after the actors have ended.
func (m *Machine) Close(limit time.Duration) error {
	m.links.waitClosed()
	return m.files.flush(limit)
}

// Memory returns the machine's memory in bytes, 0 if it is unknown.
func Memory() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	var kib int64
	if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kib); err != nil {
		return 0
	}
	return kib << 10
}

func dial(to transport.Target, done func(transport.Link, error)) func() {
	if path, socket := strings.CutPrefix(to.URL, "unix:"); socket {
		return ipc.Dial(path, done)
	}
	return master.Dial(to, done)
}

func unlinkSocket(path string) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		_ = os.Remove(path) // a dead name in CONTROL's own folder does no harm
	}
}
