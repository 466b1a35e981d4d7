package scenarios

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/actors/master"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/discord/rules"
	codec "github.com/discluster/control/transport/master"
)

// addOdd links a machine that is drained, used every bucket a moment ago, and has a clock that is
// wrong by that much. reports: it reports its clock. used returns when that was.
func (f *fleet) addOdd(wrong time.Duration, reports bool) (used func() time.Time) {
	var at time.Time
	f.net.Dial("odd", masterURL, transport.Greeting{Remote: "odd", Authorization: "open sesame", Source: "odd", Instance: "odd"}, func(l transport.Link, err error) {
		at = time.Now()
		l.Receive(func(frame []byte) {
			l.Ack()
			p, _ := codec.DecodeFromMaster(frame)
			i, is := p.(messages.Initialise)
			if !is {
				return
			}
			info := messages.Info{Hostname: "odd", Version: "1", CPUs: 1, Epoch: i.Epoch, Drained: true, LastIdentify: map[int]messages.UnixMillis{},
				Features: []string{messages.FeatureInfo, messages.FeaturePermits, messages.FeatureOrders}}
			if i.Machine != nil {
				info.Machine = *i.Machine
			}
			if reports {
				info.Now = new(messages.At(time.Now().Add(wrong)))
			}
			for bucket := range 4 {
				info.LastIdentify[bucket] = messages.At(at.Add(wrong))
			}
			b, _ := codec.EncodeFromControl(info)
			_ = l.Send(b)
		}, func(error) {})
	})
	return func() time.Time { return at }
}

// A machine whose clock is wrong reports when it identified last, and its clock: its buckets are
// kept for 5 s, neither shorter nor longer.
func TestWrongClock(t *testing.T) {
	for name, wrong := range map[string]time.Duration{"an hour ahead": time.Hour, "an hour behind": -time.Hour, "right": 0} {
		t.Run(name, func(t *testing.T) {
			seedsOf(t, 10, func(f *fleet) {
				f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 4})
				f.withOwnMaster(2)
				f.pass(10 * time.Second)
				used := f.addOdd(wrong, true)
				f.add("m1", f.good(nil), sesame, mortal)
				f.must("every shard READY", 45*time.Second, f.owned(24))
				for _, s := range f.discord.Rules.Score().Shards {
					if after := s.IdentifyAt[0].Sub(used()); after < 5*time.Second {
						f.t.Fatalf("an identify %v after another of its bucket", after)
					}
				}
			})
		})
	}
}

// A machine that does not report its clock is believed, but for no longer than a bucket may be
// kept.
func TestWrongClockUnreported(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 4})
		f.withOwnMaster(2)
		f.addOdd(time.Hour, false)
		f.add("m1", f.good(nil), sesame, mortal)
		f.must("every shard READY", 3*time.Minute, f.owned(24))
	})
}

// The clock was an hour ahead when CONTROL saved when its buckets were used, and was set right
// since: they are not kept for an hour.
func TestClockIsSetRight(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.alone(1, 1, ours(initialise(1, 1)), nil)
		f.powerOff(m)
		w, _ := m.Boot()
		w.Save("gate.json", fmt.Appendf(nil, `{"max_concurrency":1,"last_identify":{"0":%d}}`, time.Now().Add(time.Hour).UnixMilli()), func(error) {})
		f.pass(time.Second)
		f.boot(m)
		f.must("linked again", time.Minute, f.sawN("master.linked", 2))
		f.connect(m, "c", 0, 0)
		f.must("READY", 2*time.Minute, f.owned(1))
	})
}

// A machine is suspended while MASTER's first packet to it lies in its socket, and MASTER goes.
// What that packet shows of MASTER's clock is old: by it the machine would take others' slots for
// its own (seed 8369 of TestFleetChaos).
func TestSlotsBehindASleep(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 48, MaxConcurrency: 2}, 4, func(o *master.Options) { o.Grace = 5 * time.Minute })
		asleep := f.machines["m1"]
		f.net.Drop("m1", "master")
		f.must("it dials", time.Minute, func() bool { return f.net.Links("m1", "master") == 1 })
		asleep.Freeze(time.Duration(20+f.loop.Rand.IntN(20)) * time.Second)
		f.pass(time.Second)
		own.Crash()
		f.pass(40 * time.Second)
		f.discord.Step(rules.Fault{Kind: rules.FaultInvalidate, Shard: rules.All})
		f.must("all of them pace themselves", 20*time.Minute, f.owned(48))
	})
}

// The wall clock of one side is set while both serve, by hours, once and back. No limit is broken,
// and every shard identifies again about as soon as ever.
func TestClockIsSetWhileServing(t *testing.T) {
	for name, host := range map[string]func(m *machine, own *ownMaster) *sim.Host{
		"CONTROL's": func(m *machine, _ *ownMaster) *sim.Host { return m.Host },
		"MASTER's":  func(_ *machine, own *ownMaster) *sim.Host { return own.Host },
	} {
		for _, wrong := range []time.Duration{3 * time.Hour, -3 * time.Hour} {
			t.Run(fmt.Sprint(name, " by ", wrong), func(t *testing.T) {
				seedsOf(t, 5, func(f *fleet) {
					f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 8, IdentifyTotal: 100000})
					own := f.withOwnMaster(1)
					m := f.add("m1", f.good(nil), sesame)
					f.must("every shard READY", 2*time.Minute, f.owned(24))
					for _, clock := range []time.Duration{wrong, 0} {
						// no storm of identifies
						f.pass(10*time.Minute + time.Duration(f.loop.Rand.IntN(10000))*time.Millisecond)
						host(m, own).SetClock(clock)
						f.discord.Step(rules.Fault{Kind: rules.FaultInvalidate, Shard: rules.All})
						f.pass(time.Second)
						f.must("every shard READY again", time.Minute, f.owned(24))
					}
					want(f, "processes started", f.starts["0"], 1)
				})
			})
		}
	}
}

// CONTROL dies, and its clock is set before it starts again. It takes its processes back, and what
// was READY stays so.
func TestClockIsSetBetweenRuns(t *testing.T) {
	for _, wrong := range []time.Duration{3 * time.Hour, -3 * time.Hour} {
		t.Run(wrong.String(), func(t *testing.T) {
			seedsOf(t, 5, func(f *fleet) {
				f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 8, IdentifyTotal: 100000})
				f.withOwnMaster(1)
				m := f.add("m1", f.good(nil), sesame)
				f.must("every shard READY", 2*time.Minute, f.owned(24))
				f.crash(m)
				m.SetClock(wrong)
				f.pass(3 * time.Second)
				f.boot(m, sesame)
				f.must("taken back", time.Minute, f.sawN("cluster.adopted", 3))
				want(f, "identifies", f.identifies(), 24)
				f.processOf(m, "0").Signal(syscall.SIGKILL)
				f.pass(time.Second)
				f.must("every shard READY again", time.Minute, f.owned(24))
			})
		})
	}
}

// The clocks were a day ahead when a machine saved what it obeyed, served and identified, and are
// right when everything is started again: MASTER is obeyed, and what is served goes on.
func TestClockWasAhead(t *testing.T) {
	for _, live := range []bool{false, true} {
		t.Run(fmt.Sprintf("bots live on: %v", live), func(t *testing.T) {
			seedsOf(t, 10, func(f *fleet) {
				f.withDiscord(rules.Config{ShardCount: 8, MaxConcurrency: 4})
				own := f.withOwnMaster(0)
				own.Crash()
				own.SetClock(24 * time.Hour)
				own.options.Expect = 1
				own.start()
				m := f.add("m1", f.good(nil), sesame)
				m.SetClock(24 * time.Hour)
				f.must("operational", time.Minute, func() bool { return own.saw("fleet.operational") == 1 })
				f.pass(10 * time.Second)
				own.Crash()
				if live {
					m.Crash()
				} else {
					f.stopControl(m)
				}
				own.SetClock(0)
				m.SetClock(0)
				own.start()
				f.boot(m, sesame)
				f.must("every shard READY", 20*time.Second, f.owned(8))
				f.must("operational again", 20*time.Second, func() bool { return own.saw("fleet.operational") == 2 })
				want(f, "refused", f.saw("master.refused"), 0)
				want(f, "identifies", f.identifies(), 8)
				own.Crash()
				own.start()
				f.must("and again", time.Minute, func() bool { return own.saw("fleet.operational") == 3 })
			})
		})
	}
}

// The wall clock of a machine is set again and again while it identifies: no permit is used before
// its time.
func TestClockIsSetWhileIdentifying(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 48, MaxConcurrency: 2})
		f.withOwnMaster(1)
		m := f.add("m1", f.good(nil), sesame)
		for end := f.loop.Now() + 3*time.Minute; f.loop.Now() < end; {
			f.pass(time.Duration(f.loop.Rand.IntN(4000)) * time.Millisecond)
			m.SetClock(time.Duration(f.loop.Rand.IntN(20)-10) * time.Second)
		}
		f.must("every shard READY", 5*time.Minute, f.owned(48))
	})
}
