package scenarios

import (
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
)

// An instance that never sends a heartbeat is asked for a sign of life by HELLO: it is not killed for its silence, and its hang is seen.
func TestStockInstanceIsProbed(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.alone(2, 1, ours(initialise(2, 1)), map[string]fakecluster.SDK{"0": {Stock: true}})
		f.connect(m, "c", 0, 1)
		f.must("serving", time.Minute, f.stateIs(m, 0, messages.ClusterServing))
		want(f, "unpaced said", f.saw("identify.unpaced"), 1)
		f.pass(10 * time.Minute)
		want(f, "deaths", f.saw("cluster.died"), 0)
		f.processOf(m, "0").Signal(syscall.SIGSTOP)
		f.pass(20 * time.Second)
		f.processOf(m, "0").Signal(syscall.SIGCONT) // node was busy
		f.pass(time.Minute)
		want(f, "deaths", f.saw("cluster.died"), 0)
		f.processOf(m, "0").Signal(syscall.SIGSTOP)
		f.must("its hang is seen", 40*time.Second, f.sawN("cluster.died", 1))
		want(f, "cause", last[messages.ClusterDied](f).Cause, messages.CauseMute)
		f.must("serving again", time.Minute, f.stateIs(m, 0, messages.ClusterServing))
	})
}
