package fleet

import (
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// Slots, and the turns of machines that pace themselves.
func TestSlots(t *testing.T) {
	tell(t, map[string]func(t *testing.T) *scene{
		"machine that does not learn its slots": func(t *testing.T) *scene { // the others wait for it no longer than 5 s
			s := play(t, expect(2))
			s.discord(16, 1, 1000)
			s.arrive("m1")
			s.arrive("m2", func(c *control) { c.unaware = true })
			s.skip(time.Minute)
			return s
		},
		"machines that served alone": func(t *testing.T) *scene {
			s := play(t, expect(2))
			s.discord(16, 1, 1000)
			s.arrive("m1", serving(900, messages.Place{}, rng(0, 7)))
			s.arrive("m2", serving(900, messages.Place{}, rng(8, 15)))
			return s
		},
		"machine that served alone and is away": func(t *testing.T) *scene {
			s := play(t, expect(2))
			s.discord(16, 1, 1000)
			s.arrive("m1", serving(900, messages.Place{}, rng(0, 7)), func(c *control) { c.unaware = true })
			s.lose("m1")
			s.arrive("m2")
			s.skip(time.Minute)
			return s
		},
		"newcomers while most machines are away": func(t *testing.T) *scene { // how finely slots are divided follows from those that are linked
			s := play(t, expect(4))
			s.discord(16, 1, 1000)
			s.arrive("a", serving(900, messages.Place{Index: 1, Of: 2}, rng(0, 3)))
			s.arrive("b", serving(900, messages.Place{Index: 2, Of: 4}, rng(4, 7)))
			s.arrive("c", serving(900, messages.Place{Index: 4, Of: 8}, rng(8, 11)))
			s.arrive("d", serving(900, messages.Place{Index: 0, Of: 8}, rng(12, 15)))
			for _, source := range []string{"a", "b", "c"} {
				s.lose(source)
			}
			s.arrive("e")
			s.arrive("f")
			return s
		},
		"slots that no machine brings for an hour": func(t *testing.T) *scene {
			s := play(t, expect(2))
			s.discord(16, 1, 1000)
			s.arrive("m1", serving(900, half[0], rng(0, 15)))
			s.skip(59 * time.Minute)
			s.arrive("m2")
			s.lose("m2")
			s.skip(2 * time.Minute)
			s.arrive("m3")
			return s
		},
	})
}

func TestTurns(t *testing.T) {
	pacing := func(c *control) { c.info.Features = nil }
	tell(t, map[string]func(t *testing.T) *scene{
		"turns of machines that are lost": func(t *testing.T) *scene {
			s := play(t, expect(2))
			s.discord(16, 1, 1000)
			s.arrive("m1", pacing)
			s.arrive("m2", pacing)
			s.skip(3 * time.Second)
			s.lose("m1") // before its turn begins
			s.skip(2 * time.Second)
			s.arrive("m1") // its turn is another one
			s.skip(10 * time.Second)
			s.lose("m2")
			s.up("m1") // no turn waits for m2
			s.arrive("m2")
			s.skip(2 * time.Second)
			s.lose("m2")
			s.skip(20 * time.Second)
			return s
		},
		"turn of a machine that leaves": func(t *testing.T) *scene {
			s := play(t, expect(2))
			s.discord(16, 1, 1000)
			s.arrive("m1", pacing)
			s.arrive("m2", pacing)
			s.skip(3 * time.Second)
			s.leave("m1")
			s.skip(10 * time.Second)
			return s
		},
		"turn in a fleet that is halted": func(t *testing.T) *scene {
			s := play(t)
			s.discord(16, 1, 1000)
			s.arrive("m1", pacing)
			s.skip(3 * time.Second)
			s.fatal("m1", 4004)
			s.skip(10 * time.Second)
			return s
		},
		"CONTROLs that report nothing": func(t *testing.T) *scene { // nor do they say which they are
			s := play(t)
			s.discord(16, 1, 1000)
			first := s.arrive("m1", func(c *control) { c.instance, c.silent = "", true })
			s.links++
			s.do("another one of this name", Arrived{Link: s.links, Authorized: true, Source: "m1", Remote: "10.0.0.9"})
			s.skip(20 * time.Second)
			s.do("m1 reports after all", Informed{Source: "m1", Link: first.link, Info: messages.Info{Epoch: 1000, Machine: first.info.Machine, Features: []string{messages.FeaturePermits}}})
			return s
		},
	})
}
