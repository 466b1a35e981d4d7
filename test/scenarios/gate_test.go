package scenarios

import (
	"fmt"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/mockmaster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
)

// firstIdentify returns when Discord saw the first one.
func (f *fleet) firstIdentify() time.Time {
	var first time.Time
	for _, s := range f.discord.Rules.Score().Shards {
		if first.IsZero() || s.IdentifyAt[0].Before(first) {
			first = s.IdentifyAt[0]
		}
	}
	return first
}

// A machine alone is as fast as Discord allows, plus 2 % and 300 ms.
func TestFloor(t *testing.T) {
	for _, c := range []rules.Config{{ShardCount: 20, MaxConcurrency: 1}, {ShardCount: 32, MaxConcurrency: 16}, {ShardCount: 48, MaxConcurrency: 16}} {
		t.Run(fmt.Sprintf("%d at %d", c.ShardCount, c.MaxConcurrency), func(t *testing.T) {
			seedsOf(t, 10, func(f *fleet) {
				m := f.aloneWith(c, ours(initialise(c.ShardCount, c.MaxConcurrency)), f.good(nil))
				f.serve(m, "c", 0, c.ShardCount-1)
				ready, all := f.discord.Rules.Score().AllReady(c.ShardCount)
				want(f, "all READY", all, true)
				floor := f.rules.Floor(c.ShardCount)
				if took := ready.Sub(f.firstIdentify()); took > floor+floor/50+300*time.Millisecond {
					f.t.Fatalf("took %v, the floor is %v", took, floor)
				}
				want(f, "identifies", f.identifies(), c.ShardCount)
			})
		})
	}
}

// Processes die throughout, at any point of an identify: the limit holds, and every shard is READY
// once it stops.
func TestPaceUnderCrashes(t *testing.T) {
	for _, maxConcurrency := range []int{1, 16} {
		t.Run(fmt.Sprintf("max_concurrency %d", maxConcurrency), func(t *testing.T) {
			seedsOf(t, 10, func(f *fleet) {
				shards := 16 * maxConcurrency
				restless := true
				program := f.cast(func(string, int) fakecluster.SDK {
					return fakecluster.SDK{DieOnPermit: restless && f.loop.Rand.IntN(3) == 0, Boot: time.Duration(f.loop.Rand.IntN(500)) * time.Millisecond}
				})
				i := initialise(shards, maxConcurrency)
				i.ShardsPerCluster = new(max(4, maxConcurrency/2))
				m := f.aloneWith(rules.Config{ShardCount: shards, MaxConcurrency: maxConcurrency, IdentifyTotal: 100000}, ours(i), program)
				f.connect(m, "c", 0, shards-1)
				for end := f.loop.Now() + 2*time.Minute; f.loop.Now() < end; {
					f.pass(time.Duration(f.loop.Rand.IntN(4000)) * time.Millisecond)
					if all := m.Processes(); len(all) > 0 {
						all[f.loop.Rand.IntN(len(all))].Exit(1, "")
					}
				}
				restless = false
				floor := f.rules.Floor(shards)
				f.mustWithHelp(m, shards / *i.ShardsPerCluster, "every shard READY", 2*floor+2*time.Minute, f.owned(shards))
			})
		})
	}
}

// A bot that dies between its permit and the report of it may have identified: its bucket counts as
// used at the permit's very end, and no request waits longer.
func TestDeathOnAPermit(t *testing.T) {
	seeds(t, func(f *fleet) {
		program := f.cast(func(cluster string, start int) fakecluster.SDK {
			return fakecluster.SDK{DieOnPermit: cluster == "0" && start == 1}
		})
		i := initialise(4, 1)
		i.ShardsPerCluster = new(2)
		m := f.aloneWith(rules.Config{ShardCount: 4}, ours(i), program)
		f.serve(m, "c", 0, 3)
		ready, _ := f.discord.Rules.Score().AllReady(4)
		took := ready.Sub(f.firstIdentify())
		// the dead one held its bucket for 2 s + 1 s, and 5.1 s after that
		if most := 3*5*time.Second + 8100*time.Millisecond + time.Second; took > most {
			f.t.Fatalf("took %v, at most %v", took, most)
		}
	})
}

// The disk takes nothing: that is reported once, and again every ten minutes, and the bots go on.
// Once there is room every file is written, though nothing else happens, and that is reported.
func TestDiskFull(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 20, MaxConcurrency: 16})
		f.withMaster(ours(initialise(20, 16)))
		m := f.add("m1", f.good(nil))
		m.DiskErr = sim.ErrDiskFull
		f.must("the link", time.Second, f.sawN("master.linked", 1))
		f.serve(m, "c", 0, 19)
		reported := func() (line string) {
			for _, e := range events[messages.StateUnwritable](f) {
				line += fmt.Sprint(e.On, " ")
			}
			return line
		}
		want(f, "reported at first", reported(), "true ")
		f.pass(35 * time.Minute)
		want(f, "reported within 35 minutes", reported(), "true true true true ")
		last := last[messages.StateUnwritable](f)
		want(f, "files", last.Files > 1 && last.File != "", true) // of two clusters
		m.DiskErr = nil
		f.pass(time.Minute)
		want(f, "reported once there is room", reported(), "true true true true false ")
		for _, file := range []string{"gate.json", "link.json", "cluster-0.json", "sessions-0.json", "ready-0.json"} {
			want(f, file+" is written", m.File(file) != "", true)
		}
		f.restart(m, 0)
		f.must("READY again", time.Minute, f.sawN("cluster.ready", 3))
		m.DiskErr = sim.ErrDiskFull
		f.restart(m, 0)
		f.must("READY again", time.Minute, f.sawN("cluster.ready", 4))
		want(f, "reported again", reported(), "true true true true false true ")
		want(f, "owned", f.owned(20)(), true)
	})
}

// The machine loses power in the middle of its identifies, and is back within a second: the buckets
// it had used are respected, whatever max_concurrency is then.
func TestPowerCut(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(32, 16, ours(initialise(32, 16)), nil)
		for run := range 4 {
			f.connect(m, "c", 0, 31)
			f.pass(time.Duration(f.loop.Rand.IntN(12000)) * time.Millisecond)
			f.powerOff(m)
			f.pass(time.Duration(100+f.loop.Rand.IntN(900)) * time.Millisecond) // MASTER has noticed
			if run%2 == 1 {
				f.master.Change(func(o *mockmaster.Options) { o.Initialise.MaxConcurrency = new(8 * (1 + f.loop.Rand.IntN(2))) })
			}
			f.boot(m)
			f.must("the link", time.Second, f.sawN("master.linked", run+2))
		}
		f.serve(m, "last", 0, 31)
	})
}

// Two machines whose MASTER grants no permits keep to their slots: the limit holds for the fleet.
func TestSlots(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 20})
		i := initialise(20, 1)
		f.withMaster(ours(i))
		for n, name := range []string{"m1", "m2"} {
			f.master.Change(func(o *mockmaster.Options) { o.Initialise.Machine = &messages.Place{Index: n, Of: 2} })
			m := f.add(name, f.good(nil))
			f.must("the link", time.Second, f.sawN("master.linked", n+1))
			f.connect(m, name, 10*n, 10*n+9)
		}
		f.must("every shard READY", 20*6*time.Second+10*time.Second, f.owned(20))
		want(f, "identifies", f.identifies(), 20)
	})
}

// withPermits is a MASTER that grants identifies.
func withPermits(i messages.Initialise, answer func(messages.PermitRequest) *messages.PermitAnswer) mockmaster.Options {
	i.Features = append(i.Features, messages.FeaturePermits)
	o := ours(i)
	o.Permit = answer
	return o
}

// MASTER grants, and receives the outcome of every permit. Nothing identifies that it did not
// grant.
func TestPermitsOfMaster(t *testing.T) {
	seeds(t, func(f *fleet) {
		granted := map[string]bool{}
		put := map[string]bool{}
		answer := func(p messages.PermitRequest) *messages.PermitAnswer {
			if !put[p.ID] { // first it is put off
				put[p.ID] = true
				return &messages.PermitAnswer{ID: p.ID, RetryAfterMS: 3000, Reason: "budget"}
			}
			granted[p.ID] = true
			return &messages.PermitAnswer{ID: p.ID, Granted: true, UseWithinMS: 2000}
		}
		m := f.alone(16, 16, withPermits(initialise(16, 16), answer), nil)
		f.serve(m, "c", 0, 15)
		f.pass(time.Second)
		want(f, "granted", len(granted), 16)
		arrived := 0
		reports := sent[messages.PermitReport](f, m)
		want(f, "reports", len(reports), 2*16) // that it was sent, and that Discord answered
		for _, r := range reports {
			want(f, "sent", r.Sent && granted[r.ID], true)
			if r.Arrived {
				arrived++
			}
		}
		want(f, "answered", arrived, 16)
	})
}

// MASTER grants ahead of the time, by its clock or by CONTROL's own; no bot identifies sooner, nor
// later than need be.
func TestPermitsAhead(t *testing.T) {
	seeds(t, func(f *fleet) {
		from := map[int]time.Time{}
		answer := func(p messages.PermitRequest) *messages.PermitAnswer {
			now := time.Now()
			from[p.Shard] = now.Add(300 * time.Millisecond)
			a := &messages.PermitAnswer{ID: p.ID, Granted: true, UseWithinMS: 2300, Now: new(messages.At(now)), InMS: 300}
			if p.Shard%2 == 1 {
				a.NotBefore = new(messages.At(from[p.Shard]))
			}
			return a
		}
		m := f.alone(16, 16, withPermits(initialise(16, 16), answer), nil)
		f.serve(m, "c", 0, 15)
		for _, s := range f.discord.Rules.Score().Shards {
			// the delay of the quickest packet of MASTER's, and the identify's own
			late, most := s.IdentifyAt[0].Sub(from[s.Shard]), 2*jitter
			if s.Shard%2 == 1 {
				most = jitter + time.Millisecond // the wire has whole ones
			}
			if late < -time.Millisecond || late > most {
				t.Errorf("shard %d identified %v after it was to", s.Shard, late)
			}
		}
	})
}

// A MASTER that does not answer is asked again; the shards wait, which is no failure.
func TestPermitsNobodyAnswers(t *testing.T) {
	seeds(t, func(f *fleet) {
		var deaf = true
		answer := func(p messages.PermitRequest) *messages.PermitAnswer {
			if deaf {
				return nil
			}
			return &messages.PermitAnswer{ID: p.ID, Granted: true, UseWithinMS: 2000}
		}
		m := f.alone(16, 16, withPermits(initialise(16, 16), answer), nil)
		f.connect(m, "c", 0, 15)
		f.pass(10 * time.Minute)
		want(f, "identifies", f.identifies(), 0)
		want(f, "deaths", f.saw("cluster.died"), 0)
		deaf = false
		f.must("every shard READY", 31*time.Second, f.owned(16))
	})
}

// The link is lost while shards wait for MASTER: after its permits are over they go on at the
// machine's own pace, and back to MASTER's when it is there again.
func TestPermitsWhenTheLinkIsLost(t *testing.T) {
	seeds(t, func(f *fleet) {
		granting := 5
		answer := func(p messages.PermitRequest) *messages.PermitAnswer {
			if granting == 0 || p.Shard >= 16 { // one a bucket
				return nil
			}
			granting--
			return &messages.PermitAnswer{ID: p.ID, Granted: true, UseWithinMS: 2000}
		}
		m := f.alone(32, 16, withPermits(initialise(32, 16), answer), nil)
		f.connect(m, "c", 0, 31)
		f.pass(time.Duration(100+f.loop.Rand.IntN(10000)) * time.Millisecond)
		f.net.Cut("m1", "master")
		f.must("every shard READY", time.Minute, f.owned(32))
		want(f, "identifies", f.identifies(), 32)
		f.net.Heal("m1", "master")
		f.must("the next link", time.Minute, f.sawN("master.linked", 2))
	})
}

// The gate panics on requests: they are sent again, and none waits forever (seed 455 of
// TestEverything).
func TestRequestsThatAreLost(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.panics = true
		lost := 3
		m := f.alone(4, 4, ours(initialise(4, 4)), nil)
		m.Panic = func(actor string, msg any) bool {
			_, wanted := msg.(messages.WantPermit)
			if wanted && actor == "gate" {
				lost--
			}
			return wanted && actor == "gate" && lost >= 0
		}
		f.connect(m, "c", 0, 3)
		f.pass(10 * time.Second)
		// and seed 6804: connections come and go as well
		f.discord.Step(rules.Fault{Kind: rules.FaultClose, Shard: rules.All, Code: rules.CloseVanished})
		f.must("READY", 2*time.Minute, f.owned(4))
		want(f, "identifies", f.identifies(), 4)
	})
}
