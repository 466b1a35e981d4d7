package fleet

import (
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
