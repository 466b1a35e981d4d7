package daemon

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/cmd/machine"
	"github.com/discluster/control/messages"
)

// notifications collects the notifications to systemd.
type notifications struct {
	mu  sync.Mutex
	all []string
}

func (s *notifications) add(what ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, what...)
}

// since returns the notifications since the last call.
func (s *notifications) since() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.all
	s.all = nil
	return all
}

// startWatchdog runs a watchdog that asks two actors every second. One of them hangs until a
// channel sent to hang is closed. feed sends the watchdog an event.
func startWatchdog(t *testing.T) (heard *notifications, hang chan chan struct{}, feed func(messages.Event)) {
	t.Helper()
	system := actor.NewActorSystem()
	hang = make(chan chan struct{}, 1)
	idle := system.Root.Spawn(actor.PropsFromFunc(func(actor.Context) {}))
	hanging := system.Root.Spawn(actor.PropsFromFunc(func(actor.Context) {
		select {
		case until := <-hang:
			<-until
		default:
		}
	}))
	heard = &notifications{}
	w := &world.World{After: func(d time.Duration, fn func()) func() {
		timer := time.AfterFunc(d, fn)
		return func() { timer.Stop() }
	}}
	p := newWatchdog(w, &machine.Systemd{Watchdog: 3 * time.Second}, idle, idle, hanging)
	p.notify = heard.add
	pid := system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return p }))
	t.Cleanup(func() {
		for _, pid := range []*actor.PID{pid, idle, hanging} {
			system.Root.Stop(pid)
		}
		system.Shutdown()
		time.Sleep(2 * time.Second) // protoactor's dead letters
	})
	return heard, hang, func(e messages.Event) { system.Root.Send(pid, e) }
}

// Notifications come at the interval of systemd, and stop while an actor hangs.
func TestWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard, hang, _ := startWatchdog(t)
		signs := func(during time.Duration) (n int) {
			time.Sleep(during)
			synctest.Wait()
			for _, what := range heard.since() {
				if what == "WATCHDOG=1" {
					n++
				}
			}
			return n
		}
		time.Sleep(time.Millisecond) // off the beat
		if n := signs(10 * time.Second); n != 11 {
			t.Errorf("%d signs in 10 s, want one a second", n)
		}
		until := make(chan struct{})
		hang <- until
		if n := signs(time.Minute); n != 0 {
			t.Errorf("%d signs, though an actor hangs", n)
		}
		close(until)
		if n := signs(10 * time.Second); n != 11 && n != 10 {
			t.Errorf("%d signs in 10 s after it, want one a second", n)
		}
	})
}

func TestWatchdogSendsStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard, _, feed := startWatchdog(t)
		moved := func(id messages.ClusterID, state messages.ClusterState, ready int) {
			feed(messages.ClusterMoved{Cluster: id, Range: messages.ShardRange{First: 10 * int(id), Last: 10*int(id) + 9}, State: state, Ready: ready})
		}
		want := func(want ...string) {
			t.Helper()
			time.Sleep(1100 * time.Millisecond)
			synctest.Wait()
			got := slices.DeleteFunc(heard.since(), func(what string) bool { return !strings.HasPrefix(what, "STATUS=") })
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		want("STATUS=0 of 0 clusters serve, 0 of 0 shards are READY")
		moved(0, messages.ClusterServing, 10)
		moved(1, messages.ClusterConnecting, 3)
		want("STATUS=1 of 2 clusters serve, 13 of 20 shards are READY")
		want()
		moved(1, messages.ClusterStopped, 0)
		moved(2, messages.ClusterServing, 10)
		want("STATUS=2 of 2 clusters serve, 20 of 20 shards are READY")
		moved(2, messages.ClusterGone, 0)
		feed(messages.MasterLost{})
		want("STATUS=1 of 1 clusters serve, 10 of 10 shards are READY; no link to MASTER")
		feed(messages.MasterLinked{})
		want("STATUS=1 of 1 clusters serve, 10 of 10 shards are READY")
	})
}
