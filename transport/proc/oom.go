package proc

import (
	"os"
	"strconv"
	"strings"
	"sync"
)

// oomCounter reads how often the kernel's out-of-memory killer killed a process of our cgroup, ours
// and our children's alike, whatever limit was hit. The kernel counts before it kills,
// so a count read after an exit includes it.
type oomCounter struct {
	path string // memory.events of a cgroup v2; "" where there is none

	mu        sync.Mutex
	explained int64 // the count up to which every kill has explained a death
}

// ooms returns the counter of our cgroup, which our children share.
var ooms = sync.OnceValue(func() *oomCounter {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return &oomCounter{}
	}
	return &oomCounter{path: memoryEvents(string(groups))}
})

// memoryEvents returns the path of our file from /proc/self/cgroup: the line of version 2 is
// "0::/path".
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

// explains reports whether a kill since the count was since may be what ended a process by SIGKILL.
// Each kill explains one death only.
func (c *oomCounter) explains(since int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	explained := max(c.explained, since)
	if since < 0 || c.count() <= explained {
		return false
	}
	c.explained = explained + 1
	return true
}
