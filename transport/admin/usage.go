package admin

import (
	"sync"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/proc"
)

// usagesAnew is the number of processes of a list whose usage is read for one answer. The kernel
// takes some 10 µs for each: for hundreds that is more than the rest of an answer.
const usagesAnew = 32

// usages keeps what processes used when the kernel was asked last. Each list asks for those that it
// has none of, and for the next usagesAnew others in turn: with no more clusters than that, all
// figures are of the moment.
type usages struct {
	ask func(pid int) (proc.Used, bool)

	mu   sync.Mutex
	all  map[int]used // by process id
	next int          // place in the list of the process to read next
}

// used is an answer of the kernel.
type used struct {
	proc.Used
	known bool
}

// fill sets the usage of clusters, which are all that there are.
func (u *usages) fill(clusters []messages.ClusterView) {
	u.mu.Lock()
	defer u.mu.Unlock()
	kept := make(map[int]used, len(clusters))
	if u.next >= len(clusters) {
		u.next = 0
	}
	first := u.next
	for i := range clusters {
		pid := clusters[i].PID
		if pid == 0 {
			continue
		}
		one, asked := u.all[pid]
		if turn := (i - first + len(clusters)) % len(clusters); !asked || turn < usagesAnew {
			one.Used, one.known = u.ask(pid)
		}
		kept[pid] = one
		one.show(&clusters[i])
	}
	u.all, u.next = kept, first+usagesAnew
}

// show writes it into a view.
func (u used) show(c *messages.ClusterView) {
	if u.known {
		c.UptimeMS, c.CPUMS, c.Resident = messages.Millis(u.Age), messages.Millis(u.CPU), u.Resident
	}
}
