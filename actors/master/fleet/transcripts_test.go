package fleet

import (
	"errors"
	"testing"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

func rng(first, last int) messages.ShardRange { return messages.ShardRange{First: first, Last: last} }

var half = []messages.Place{{Index: 0, Of: 2}, {Index: 1, Of: 2}}

// Each transcript is a story: an event a line, and under it what follows. `go test
// ./actors/master/fleet -update` rewrites them; read the difference.
func TestTranscripts(t *testing.T) {
	tell(t, map[string]func(t *testing.T) *scene{
		"first machine": func(t *testing.T) *scene {
			s := play(t)
			s.discord(16, 1, 1000)
			s.arrive("m1")
			s.up("m1")
			return s
		},
		"two machines and a spare": func(t *testing.T) *scene {
			s := play(t, expect(3), func(o *Options) { o.Spares = 1 })
			s.discord(16, 1, 1000)
			s.arrive("m1")
			s.arrive("m2")
			s.arrive("m3")
			s.up("m1")
			s.up("m2")
			return s
		},
		"machine that returns": func(t *testing.T) *scene {
			s := twoAndSpare(t)
			s.lose("m1")
			s.skip(20 * time.Second)
			s.arrive("m1")
			s.skip(time.Minute)
			return s
		},
		"machine that is lost and returns late": func(t *testing.T) *scene {
			s := twoAndSpare(t)
			s.lose("m1")
			s.skip(40 * time.Second)
			s.up("m3")
			s.arrive("m1")
			return s
		},
		"machine that is lost for an hour": func(t *testing.T) *scene {
			s := twoAndSpare(t)
			s.lose("m1")
			s.skip(2 * time.Hour)
			return s
		},
		"machine that leaves": func(t *testing.T) *scene {
			s := twoAndSpare(t)
			s.leave("m1")
			return s
		},
		"drained machine": func(t *testing.T) *scene {
			s := twoAndSpare(t)
			s.order("a", messages.DrainMachine{Source: "m1"})
			s.up("m3")
			s.order("a", messages.DrainMachine{Source: "m1"})
			s.order("a", messages.UndrainMachine{Source: "m1"})
			s.order("b", messages.UndrainMachine{Source: "m1"})
			return s
		},
		"drained machine without another": func(t *testing.T) *scene {
			s := play(t)
			s.discord(16, 1, 1000)
			s.arrive("m1")
			s.up("m1")
			s.order("a", messages.DrainMachine{Source: "m1"})
			return s
		},
		"stale epoch": func(t *testing.T) *scene { // m1 was granted its shards by a MASTER that came later than this one's clock shows
			s := play(t, expect(2))
			s.discord(16, 1, 1000)
			s.arrive("m1", serving(2000, half[0], rng(0, 7)))
			s.arrive("m2", serving(1500, half[1], rng(0, 7), rng(8, 15)))
			return s
		},
		"other sharding": func(t *testing.T) *scene {
			s := play(t, expect(2))
			s.discord(16, 1, 1000)
			s.arrive("m1", serving(900, half[0], rng(0, 15)))
			s.arrive("m2", serving(800, half[1], rng(0, 7)), func(c *control) { c.info.ShardCount = 8 })
			return s
		},
		"lease": func(t *testing.T) *scene { // what no machine reports may still be served until the lease is over
			s := play(t, expect(2), func(o *Options) { o.Lease = 30 * time.Second })
			s.discord(16, 1, 1000)
			s.arrive("m1", serving(900, half[0], rng(0, 7)))
			s.skip(2 * time.Minute)
			return s
		},
		"halt and resume": func(t *testing.T) *scene {
			s := twoAndSpare(t)
			s.do("m1: Discord closed shard 0 with 4004", Fatal{Source: "m1", Packet: messages.Fatal{Code: 4004, Message: "Authentication failed.", Shards: rng(0, 0)}, Times: 1})
			s.do("m2: Discord closed shard 8 with 4004", Fatal{Source: "m2", Packet: messages.Fatal{Code: 4004, Message: "Authentication failed.", Shards: rng(8, 8)}, Times: 1})
			s.lose("m2")
			s.order("a", messages.ResumeFleet{})
			s.order("b", messages.ResumeFleet{})
			s.arrive("m2")
			return s
		},
		"halt that machines remember": func(t *testing.T) *scene {
			s := play(t)
			s.discord(16, 1, 1000)
			s.arrive("m1", func(c *control) { c.info.Halted = &messages.Halt{Code: 4004, Token: "t0ken", Epoch: 900} })
			return s
		},
		"MASTER restarted with some machines back": func(t *testing.T) *scene {
			s := play(t, expect(2))
			s.discord(16, 1, 984)
			s.arrive("m1", serving(900, half[0], rng(0, 7)))
			s.skip(50 * time.Second)
			s.arrive("m2", serving(900, half[1], rng(8, 15)))
			return s
		},
		"MASTER restarted that meets every machine and loses one": func(t *testing.T) *scene {
			s := play(t, expect(2))
			s.discord(16, 1, 984)
			s.arrive("m1", serving(900, half[0], rng(0, 7)))
			s.arrive("m2", serving(900, half[1], rng(8, 15)))
			s.lose("m2")
			return s
		},
		"MASTER restarted and a machine never back": func(t *testing.T) *scene {
			s := play(t, expect(2))
			s.discord(16, 1, 984)
			s.arrive("m1", serving(900, half[0], rng(0, 7)))
			s.skip(2 * time.Minute)
			return s
		},
		"MASTER without Discord": func(t *testing.T) *scene {
			s := play(t)
			s.arrive("m1", serving(900, plan.Places(1, false)[0], rng(0, 15)))
			s.skip(3 * time.Second)
			s.do("Discord: no answer", Answered{Err: errors.New("dial: refused")})
			s.skip(time.Minute)
			s.discord(16, 2, 984)
			return s
		},
		"Discord that refuses to be asked": func(t *testing.T) *scene {
			s := play(t)
			s.do("Discord: 429", Answered{Err: &plan.GatewayBotError{Status: 429, Wait: 10 * time.Minute, Stated: true}})
			s.skip(11 * time.Minute)
			s.discord(16, 1, 1000)
			return s
		},
		"token that Discord does not know": func(t *testing.T) *scene {
			s := play(t)
			s.do("Discord: 401", Answered{Err: ErrUnauthorized})
			return s
		},
		"MASTER suspended": func(t *testing.T) *scene {
			s := twoAndSpare(t)
			s.lose("m1")
			s.sleep(2 * time.Minute)
			s.skip(10 * time.Second)
			s.arrive("m1")
			return s
		},
		"links that are refused": func(t *testing.T) *scene {
			s := twoAndSpare(t)
			arrived := func(text string, a Arrived) {
				s.links++
				a.Link, a.Remote = s.links, "10.0.0.9"
				s.do(text, a)
			}
			arrived("a link with a wrong secret", Arrived{Source: "m1", Instance: "m1-1"})
			arrived("a link without a name", Arrived{Authorized: true})
			arrived("another CONTROL of m1's name", Arrived{Authorized: true, Source: "m1", Instance: "m1-2"})
			s.lose("m1")
			arrived("another CONTROL of m1's name, while m1 may return", Arrived{Authorized: true, Source: "m1", Instance: "m1-2"})
			s.skip(40 * time.Second)
			s.arrive("m1", func(c *control) { // its host was replaced
				c.instance = "m1-2"
				c.info.Ranges, c.info.Machine = nil, messages.Place{}
			})
			return s
		},
		"link that is replaced before its end was seen": func(t *testing.T) *scene {
			s := twoAndSpare(t)
			old := s.machines["m1"].link
			s.arrive("m1")
			s.do("the old link of m1 ends", Parted{Source: "m1", Link: old, Code: messages.CloseSuperseded, Err: "superseded"})
			return s
		},
		"machine that refuses a range": func(t *testing.T) *scene {
			s := play(t, expect(2))
			s.discord(16, 1, 1000)
			s.arrive("m1", func(c *control) { c.refuses = true })
			s.arrive("m2")
			s.machines["m1"].refuses = false
			s.skip(2 * time.Minute)
			return s
		},
		"machine that paces itself": func(t *testing.T) *scene { // it knows only the protocol's first version
			s := play(t, expect(2))
			s.discord(16, 1, 1000)
			for _, source := range []string{"m1", "m2"} {
				s.arrive(source, func(c *control) { c.info.Features = nil })
			}
			s.skip(10 * time.Second)
			s.up("m1")
			s.skip(time.Minute)
			s.up("m2")
			s.skip(5 * time.Minute)
			return s
		},
		"newcomer that gets half of the slots": func(t *testing.T) *scene {
			s := play(t)
			s.discord(16, 1, 1000)
			s.arrive("m1")
			s.up("m1")
			s.arrive("m2")
			return s
		},
		"rolling restart": func(t *testing.T) *scene {
			s := twoAndSpare(t)
			s.order("a", messages.RollingRestart{})
			s.order("b", messages.RollingRestart{})
			s.ack("m1", messages.CommandRollingRestart, "a", messages.Ack{Progress: "cluster 0"})
			s.ack("m1", messages.CommandRollingRestart, "a", messages.Ack{OK: new(true)})
			s.lose("m2")
			return s
		},
		"more shards recommended": func(t *testing.T) *scene {
			s := play(t)
			s.discord(16, 1, 1000)
			s.arrive("m1")
			s.up("m1")
			s.do("governor: recount", Recount{})
			s.discord(32, 2, 984)
			return s
		},
		"forgotten by an operator": func(t *testing.T) *scene {
			s := twoAndSpare(t)
			s.order("a", messages.ForgetMachine{Source: "m1"})
			s.lose("m1")
			s.order("b", messages.ForgetMachine{Source: "m1"})
			s.order("c", messages.ForgetMachine{Source: "m9"})
			s.skip(2 * time.Hour)
			return s
		},
	})
}

// tell compares stories with their transcripts.
func tell(t *testing.T, stories map[string]func(t *testing.T) *scene) {
	t.Helper()
	for name, story := range stories {
		t.Run(name, func(t *testing.T) { story(t).Check() })
	}
}

// twoAndSpare returns a fleet whose shards are READY on m1 and m2, and m3 is a spare. Its
// transcript begins there.
func twoAndSpare(t *testing.T, change ...func(*Options)) *scene {
	s := play(t, append(change, expect(3), func(o *Options) { o.Spares = 1 })...)
	s.discord(16, 1, 1000)
	for _, source := range []string{"m1", "m2", "m3"} {
		s.arrive(source)
	}
	s.up("m1")
	s.up("m2")
	s.skip(time.Minute)
	s.Restart("m1 serves 0-7 with slots 0 mod 4, m2 8-15 with 1 mod 2; m3 is a spare with 2 mod 4; epoch 1000")
	return s
}
