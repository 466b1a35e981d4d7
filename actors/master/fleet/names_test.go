package fleet

import (
	"maps"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// Three CONTROLs have one source, one after the other, and instances that begin alike. Each that
// comes back has its own slots, and no other machine has them.
func TestOneNameAfterTheOther(t *testing.T) {
	s := play(t)
	s.discord(16, 1, 1000)
	places := map[string]messages.Place{}
	for _, instance := range []string{"instance-1", "instance-2", "instance-3", "instance-1", "instance-3", "instance-2"} {
		before, known := places[instance]
		c := s.arrive("a", func(c *control) { c.instance, c.info.Machine, c.info.Ranges = instance, before, nil })
		place := c.info.Machine
		if known && place != before {
			t.Errorf("%s returned to %v, it had %v", instance, place, before)
		}
		for other, taken := range places {
			if instance != other && place == taken {
				t.Errorf("%s and %s have %v", instance, other, place)
			}
		}
		places[instance] = place
		s.lose("a")
		s.skip(time.Minute)
	}
}

// The name that a CONTROL takes over is drained as it was, and the API shows who has it. A machine
// that is linked by the name which the former would get keeps that.
func TestNamePassesOn(t *testing.T) {
	s := play(t)
	s.discord(16, 1, 1000)
	comes := func(source, instance string) {
		s.arrive(source, func(c *control) {
			c.instance = instance
			c.info.Machine, c.info.Ranges, c.info.Drained = messages.Place{}, nil, false
		})
	}
	comes("a", "1")
	comes("a (3)", "9")
	s.order("drain", messages.DrainMachine{Source: "a"})
	for _, instance := range []string{"2", "1", "3"} {
		s.lose("a")
		s.skip(50 * time.Minute) // not the hour after which a name is forgotten
		comes("a", instance)
		linked := map[string]bool{}
		for _, m := range s.fleet.View(s.Now()).Machines {
			if m.Linked {
				linked[m.Source] = m.Drained
			}
		}
		if want := map[string]bool{"a": true, "a (3)": false}; !maps.Equal(linked, want) {
			t.Errorf("linked, and drained: %v once %s came, want %v", linked, instance, want)
		}
	}
}
