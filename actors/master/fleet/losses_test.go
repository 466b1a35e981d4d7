package fleet

import (
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// Machines that are away, at every moment of a fleet.
func TestLosses(t *testing.T) {
	lease := func(d time.Duration) func(*Options) { return func(o *Options) { o.Lease = d } }
	tell(t, map[string]func(t *testing.T) *scene{
		"machine that is lost again and again": func(t *testing.T) *scene { // each time it has the whole grace, and the whole hour
			s := twoAndSpare(t)
			s.lose("m1")
			s.skip(20 * time.Second)
			s.arrive("m1")
			s.lose("m1")
			s.skip(40 * time.Second)
			s.skip(30 * time.Minute)
			s.arrive("m1")
			s.lose("m1")
			s.skip(40 * time.Minute)
			s.arrive("m1")
			s.skip(2 * time.Hour)
			return s
		},
		"MASTER that panicked": func(t *testing.T) *scene { // the machines' time to return begins again
			s := twoAndSpare(t)
			s.lose("m1")
			s.skip(10 * time.Second)
			s.do("MASTER panicked", Recovered{})
			s.skip(40 * time.Second)
			return s
		},
		"MASTER suspended while it gathers": func(t *testing.T) *scene {
			s := play(t, expect(2))
			s.discord(16, 1, 1000)
			s.arrive("m1")
			s.sleep(2 * time.Minute)
			s.skip(40 * time.Second)
			s.arrive("m2")
			return s
		},
		"machine that is lost while MASTER gathers": func(t *testing.T) *scene {
			s := play(t, expect(3))
			s.discord(16, 1, 1000)
			s.arrive("m1", serving(900, half[0], rng(0, 7)))
			s.arrive("m2", serving(900, half[1], rng(8, 15)))
			s.lose("m1")
			s.skip(2 * time.Minute)
			return s
		},
		"MASTER restarted and a machine that is new": func(t *testing.T) *scene { // what no machine serves waits for one that may return
			s := play(t, expect(2))
			s.discord(16, 1, 1000)
			s.arrive("m1", serving(900, half[0], rng(0, 7)))
			s.arrive("m2")
			s.skip(time.Minute)
			return s
		},
		"lease of machines that MASTER has not met": func(t *testing.T) *scene {
			s := play(t, expect(2), lease(time.Minute))
			s.discord(16, 1, 1000)
			s.arrive("m1")
			s.skip(2 * time.Minute)
			return s
		},
		"lease of a machine that is lost": func(t *testing.T) *scene { // its slots are the governor's again once it has certainly stopped
			s := twoAndSpare(t, lease(30*time.Second))
			s.lose("m2")
			s.do("governor: recount", Recount{})
			s.discord(16, 1, 900)
			s.skip(40 * time.Second)
			s.up("m3")
			return s
		},
	})
}

// Two machines claim one range: the later order counts.
func TestClaims(t *testing.T) {
	tell(t, map[string]func(t *testing.T) *scene{
		"later order than that of a machine that is away": func(t *testing.T) *scene {
			s := play(t, expect(3))
			s.discord(16, 1, 1000)
			s.arrive("m1", serving(800, half[0], rng(0, 7)))
			s.lose("m1")
			s.arrive("m2", serving(900, half[1], rng(0, 7)))
			s.arrive("m1")
			return s
		},
		"order that a machine has not confirmed": func(t *testing.T) *scene { // it is of this run of MASTER
			s := play(t)
			s.discord(16, 1, 1000)
			s.arrive("m1", func(c *control) { c.deaf = true })
			s.arrive("m2", serving(900, messages.Place{}, rng(0, 7)))
			return s
		},
		"later sharding": func(t *testing.T) *scene { // one is away, and one takes its time
			old := func(c *control) { c.info.ShardCount, c.deaf = 8, true }
			s := play(t, expect(4))
			s.discord(16, 1, 1000)
			s.arrive("m1", serving(800, half[0], rng(0, 3)), old)
			s.arrive("m2", serving(850, half[1], rng(4, 7)), old)
			s.lose("m1")
			s.arrive("m3", serving(900, messages.Place{}, rng(0, 15)))
			s.arrive("m1")
			return s
		},
		"epoch that is ahead of the clock": func(t *testing.T) *scene {
			s := play(t)
			s.discord(16, 1, 1000)
			s.arrive("m1", func(c *control) { c.info.Epoch = 2000 })
			return s
		},
	})
}

// The last link of a machine speaks for it. A late report of an earlier one changes nothing, nor
// does one of a machine that MASTER has forgotten.
func TestStaleLinksChangeNothing(t *testing.T) {
	s := twoAndSpare(t)
	s.order("a", messages.RestartCluster{Cluster: 0})
	s.machines["m1"].deaf = true // so that it is still to let go of what it has
	s.order("b", messages.DrainMachine{Source: "m1"})
	stale := s.machines["m1"].link
	s.arrive("m1")
	before, _ := s.fleet.View(s.Now()), s.fleet.Step(Recount{}, s.Now())
	for _, source := range []string{"m1", "m9"} {
		for _, e := range []Event{
			Informed{Source: source, Link: stale},
			Serves{Source: source, Link: stale},
			Released{source, stale, rng(0, 7)},
			Acked{source, stale, messages.Ack{ID: messages.CommandRestartCluster + "/a/m1", OK: new(true)}},
			Counted{Source: source, Link: stale, Ready: 1},
			Parted{Source: source, Link: stale, Code: closedByPeer},
		} {
			for _, effect := range s.fleet.Step(e, s.Now()) {
				switch effect.(type) {
				case Keep, End: // repeated to the governor; the end of the link's own actor
				default:
					t.Errorf("%T of %s's old link: %s", e, source, s.line(effect))
				}
			}
		}
	}
	if after := s.fleet.View(s.Now()); !reflect.DeepEqual(after, before) {
		t.Errorf("the fleet is %+v, want %+v", after, before)
	}
}

// The API shows a machine as away for its grace, then as lost.
func TestViewOfMachines(t *testing.T) {
	s := twoAndSpare(t)
	s.lose("m1")
	s.skip(40 * time.Second)
	s.lose("m2")
	got := map[string]messages.MachineState{}
	for _, m := range s.fleet.View(s.Now()).Machines {
		got[m.Source] = m.State
	}
	want := map[string]messages.MachineState{"m1": messages.MachineIsLost, "m2": messages.MachineIsAway, "m3": messages.MachineIsLinked}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
