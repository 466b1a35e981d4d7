package fleet

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// Operators' orders, on machines that are lost, take no orders, or are halted.
func TestOrders(t *testing.T) {
	done := messages.Ack{OK: new(true)}
	tell(t, map[string]func(t *testing.T) *scene{
		"orders of two machines": func(t *testing.T) *scene { // those of a machine that is lost fail, and no others
			s := twoAndSpare(t)
			s.order("a", messages.RestartCluster{Cluster: 0})
			s.order("b", messages.RestartCluster{Cluster: 2})
			s.order("c", messages.RestartCluster{Cluster: 4})
			s.lose("m2")
			s.order("d", messages.RestartCluster{Cluster: 2})
			s.ack("m1", messages.CommandRestartCluster, "a", done)
			return s
		},
		"rolling restart of the machines that can": func(t *testing.T) *scene { // m1 takes no orders, m2 is away, m4 has nothing
			s := play(t, expect(4), func(o *Options) { o.Spares = 1 })
			s.discord(24, 1, 1000)
			s.arrive("m1", func(c *control) { c.info.Features = []string{messages.FeaturePermits} })
			for _, source := range []string{"m2", "m3", "m4"} {
				s.arrive(source)
			}
			s.lose("m2")
			s.order("a", messages.RollingRestart{})
			s.ack("m3", messages.CommandRollingRestart, "a", done)
			return s
		},
		"rolling restart of a machine that is lost before its turn": func(t *testing.T) *scene {
			s := twoAndSpare(t)
			s.order("a", messages.RollingRestart{})
			s.lose("m2")
			s.ack("m1", messages.CommandRollingRestart, "a", done)
			return s
		},
		"drain of a machine that is away": func(t *testing.T) *scene { // no order to let go of what it serves reaches it
			s := twoAndSpare(t)
			s.lose("m1")
			s.order("a", messages.DrainMachine{Source: "m1"})
			return s
		},
		"drained machine that is lost": func(t *testing.T) *scene { // its last report does not count
			s := twoAndSpare(t)
			s.machines["m1"].deaf = true
			s.order("a", messages.DrainMachine{Source: "m1"})
			s.lose("m1")
			s.skip(40 * time.Second)
			s.up("m3")
			return s
		},
		"drained machine that still stops": func(t *testing.T) *scene { // when its shards are up elsewhere
			s := twoAndSpare(t)
			m1 := s.machines["m1"]
			m1.deaf = true
			s.order("a", messages.DrainMachine{Source: "m1"})
			s.do("m1 let go of 0-7", Released{"m1", m1.link, rng(0, 7)})
			s.up("m3")
			s.do("m1 stopped everything", Serves{Source: "m1", Link: m1.link})
			return s
		},
	})
}

// A fleet that is halted, and what machines remember of halts.
func TestHalts(t *testing.T) {
	tell(t, map[string]func(t *testing.T) *scene{
		"halted fleet": func(t *testing.T) *scene { // it asks Discord nothing, and nothing starts; each machine hears of its end once
			s := twoAndSpare(t)
			s.lose("m2")
			s.fatal("m1", 4004)
			s.arrive("m2")
			s.arrive("m2")
			s.lose("m3")
			s.do("governor: recount", Recount{})
			s.order("a", messages.RollingRestart{})
			s.order("b", messages.ResumeFleet{})
			s.arrive("m3")
			s.arrive("m4")
			return s
		},
		"halt before Discord answered": func(t *testing.T) *scene {
			s := play(t)
			s.arrive("m1")
			s.fatal("m1", 4004)
			s.do("Discord: no answer", Answered{Err: errors.New("dial: refused")})
			s.skip(time.Minute)
			s.discord(16, 1, 1000)
			return s
		},
		"halt that was lifted before MASTER was restarted": func(t *testing.T) *scene { // the newest one lifted counts, in whatever order they are reported
			h := func(epoch int64) *messages.Halt {
				return &messages.Halt{Code: 4004, Token: "t0ken", Epoch: epoch}
			}
			s := play(t, expect(4))
			s.discord(16, 1, 1000)
			for source, epoch := range []int64{700, 900, 800} {
				s.arrive(fmt.Sprint("m", source), func(c *control) { c.info.Resumed = h(epoch) })
			}
			s.arrive("m3", func(c *control) { c.info.Halted = h(900) })
			return s
		},
	})
}
