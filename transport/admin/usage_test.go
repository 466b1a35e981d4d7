package admin

import (
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/proc"
)

// kernel answers about processes, and counts the questions.
type kernel struct {
	asked map[int]int // by process id
	gone  map[int]bool
}

func (k *kernel) usage(pid int) (proc.Used, bool) {
	k.asked[pid]++
	return proc.Used{Age: time.Duration(k.asked[pid]) * time.Second}, !k.gone[pid]
}

// processes are clusters with process ids from 1 on; cluster 0 has none.
func processes(n int) []messages.ClusterView {
	all := make([]messages.ClusterView, n+1)
	for i := range all {
		all[i].PID = i
	}
	return all
}

// Few processes are asked for at every list.
func TestUsagesOfFew(t *testing.T) {
	k := &kernel{asked: map[int]int{}, gone: map[int]bool{3: true}}
	u := usages{ask: k.usage}
	for look := range 3 {
		all := processes(usagesAnew - 1)
		u.fill(all)
		for _, c := range all {
			want := messages.Milliseconds(1000 * (look + 1))
			if c.PID == 0 || c.PID == 3 {
				want = 0
			}
			if c.UptimeMS != want {
				t.Fatalf("look %d, process %d: %d ms, want %d", look, c.PID, c.UptimeMS, want)
			}
		}
	}
}

// Of many a list asks for those that are new to it, and for the others in turn.
func TestUsagesOfMany(t *testing.T) {
	const n = 3*usagesAnew - 1 // and the cluster without a process: three rounds
	k := &kernel{asked: map[int]int{}}
	u := usages{ask: k.usage}
	for look := range 1 + 6 {
		before := questions(k)
		all := processes(n)
		u.fill(all)
		for _, c := range all[1:] {
			if c.UptimeMS == 0 {
				t.Fatalf("look %d: nothing of process %d", look, c.PID)
			}
		}
		if asked := questions(k) - before; look > 0 && asked > usagesAnew {
			t.Errorf("look %d: %d questions, want no more than %d", look, asked, usagesAnew)
		}
	}
	for pid := 1; pid <= n; pid++ {
		if k.asked[pid] != 3 {
			t.Errorf("process %d: asked for %d times, want at first and in two rounds", pid, k.asked[pid])
		}
	}
	fresh := processes(n)
	fresh[n].PID = 7777
	u.fill(fresh)
	if k.asked[7777] != 1 {
		t.Error("a process that is new is not asked for")
	}
	if u.fill(processes(2)); len(u.all) != 2 {
		t.Errorf("%d are kept of 2", len(u.all))
	}
	u.fill(nil)
}

func questions(k *kernel) (n int) {
	for _, asked := range k.asked {
		n += asked
	}
	return n
}
