package proc

import (
	"os"
	"strconv"
	"strings"
	"sync"
)

// oomCounter is how often the kernel's out-of-memory killer took a process of our cgroup, ours and our children's alike, whatever limit it was that was hit.
// The kernel counts before it kills, so a count read after an exit includes it.
type oomCounter struct {
	path string // memory.events of a cgroup v2; "" where there is none

	mu   sync.Mutex
	told int64 // the count up to which every kill has explained somebody's death
}

// ooms is the counter of the cgroup we live in; a child is in the same one.
var ooms = sync.OnceValue(func() *oomCounter {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return &oomCounter{}
	}
	return &oomCounter{path: memoryEvents(string(groups))}
})

// memoryEvents finds our file by what /proc/self/cgroup says: the line of version 2 is "0::/path".
func memoryEvents(groups string) string {
	for line := range strings.Lines(groups) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return "/sys/fs/cgroup" + strings.TrimSuffix(path, "/") + "/memory.events"
		}
	}
	return ""
}

// count reads the counter; -1 where it cannot be read (cgroup v1, no memory controller, not Linux).
func (c *oomCounter) count() int64 {
	events, err := os.ReadFile(c.path)
	if err != nil {
		return -1
	}
	for line := range strings.Lines(string(events)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				return n
			}
		}
	}
	return -1
}

// explains tells whether a kill since the count was since can be what ended a process by SIGKILL. Each kill explains one death, so that one does not stand for a whole machine's.
func (c *oomCounter) explains(since int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	told := max(c.told, since)
	if since < 0 || c.count() <= told {
		return false
	}
	c.told = told + 1
	return true
}
