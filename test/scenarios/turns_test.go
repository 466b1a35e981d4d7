package scenarios

import (
	"fmt"
	"testing"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/discord/rules"
	codec "github.com/discluster/control/transport/master"
)

// foreign is another project's CONTROL: it asks for no permits, and starts what it is given at its
// own pace.
type foreign struct {
	f       *fleet
	name    string
	knows   knowledge
	permits bool
	takes   time.Duration // from its order until its shards are READY; 0: they never are
	link    transport.Link
	info    messages.Info

	given     messages.ShardRange
	began, up time.Duration // zero: not so far
}

// knowledge is the part of PROTOCOL B1 that a foreign CONTROL knows.
type knowledge int

const (
	ofSlots knowledge = iota // info, and its machine
	ofInfo                   // info alone
	ofAcks                   // no info: it reports its progress in its answers to a connect (PROTOCOL A6)
	ofKinds                  // how many there are
)

// addForeign links one to MASTER.
func (f *fleet) addForeign(name string, takes time.Duration, knows knowledge) *foreign {
	p := &foreign{f: f, name: name, takes: takes, knows: knows}
	g := transport.Greeting{Remote: name, Authorization: "open sesame", Source: name, Instance: name}
	if knows == ofAcks {
		g.Instance = ""
	}
	f.net.Dial(name, masterURL, g, func(l transport.Link, err error) {
		if err != nil {
			f.t.Error(err)
			return
		}
		p.link = l
		l.Receive(func(frame []byte) {
			l.Ack()
			if packet, err := codec.DecodeFromMaster(frame); err == nil {
				p.heard(packet)
			}
		}, func(error) {})
	})
	return p
}

func (p *foreign) heard(packet messages.FromMaster) {
	switch m := packet.(type) {
	case messages.Initialise:
		p.info.Hostname, p.info.Version, p.info.CPUs, p.info.Epoch = p.name, "9", 2, m.Epoch
		p.info.Features = []string{messages.FeatureInfo, messages.FeatureOrders}
		if p.permits {
			p.info.Features = append(p.info.Features, messages.FeaturePermits)
		}
		if m.Machine != nil && p.knows == ofSlots {
			p.info.Machine = *m.Machine
		}
		p.say()
	case messages.Connect:
		if m.Range == nil {
			return
		}
		p.given, p.began = *m.Range, p.f.loop.Now()
		p.reports(messages.RangeConnecting)
		if p.takes > 0 {
			p.f.loop.After(p.takes, func() {
				p.up = p.f.loop.Now()
				p.reports(messages.RangeOperational)
			})
		}
	}
}

func (p *foreign) reports(state messages.RangeState) {
	p.info.Ranges = []messages.RangeInfo{{Range: p.given, State: state, Epoch: p.info.Epoch}}
	p.say()
}

func (p *foreign) say() {
	var packet messages.FromControl = p.info
	if p.knows == ofAcks {
		if len(p.info.Ranges) == 0 {
			return
		}
		r := p.info.Ranges[0]
		packet = messages.Ack{State: string(r.State), Range: &r.Range}
	}
	frame, err := codec.EncodeFromControl(packet)
	if err != nil {
		p.f.t.Error(err)
		return
	}
	_ = p.link.Send(frame)
}

// CONTROLs without permits, whatever else they know, start one after the other, and no other
// identifies during that. One that is stuck holds up the rest until its own limit, and no longer.
func TestTurns(t *testing.T) {
	seeds(t, func(f *fleet) {
		const shards = 48
		stuck := f.loop.Rand.IntN(2) == 0
		f.withDiscord(rules.Config{ShardCount: shards, MaxConcurrency: 4})
		f.withOwnMaster(4)
		takes := func() time.Duration { return time.Duration(20+f.loop.Rand.IntN(100)) * time.Second }
		knows := func() knowledge { return knowledge(f.loop.Rand.IntN(int(ofKinds))) }
		first, second := f.addForeign("a1", takes(), knows()), f.addForeign("a2", takes(), knows())
		if stuck {
			first.takes = 0
		}
		for i := range 2 {
			f.add(fmt.Sprintf("m%d", i+1), f.good(nil), sesame)
		}
		limit := plan.StockStart(messages.ShardRange{First: 0, Last: shards/4 - 1})
		f.must("the second's turn", limit+30*time.Second, func() bool { return second.up > 0 || second.began > 0 })
		if stuck {
			if held := second.began - first.began; held < limit-10*time.Second || held > limit+10*time.Second {
				f.t.Errorf("the stuck one held up the other for %v, its limit is %v", held, limit)
			}
		} else if second.began < first.up+plan.IdentifyEvery {
			f.t.Errorf("the second began at %v, the first was done at %v", second.began, first.up)
		}
		f.must("the second is up", 3*time.Minute, func() bool { return second.up > 0 })
		want(f, "identifies of the others till then", f.identifies(), 0)
		f.must("the others are READY", 2*time.Minute, f.owned(shards/2))
		for _, s := range f.discord.Rules.Score().Shards {
			if at := f.loop.Now() - time.Since(s.IdentifyAt[0]); at < second.up+plan.IdentifyEvery {
				f.t.Errorf("shard %d identified at %v, while it was the second's turn until %v", s.Shard, at, second.up)
			}
		}
		want(f, "identifies", f.identifies(), shards/2)
	})
}

// A restarted MASTER finds one in the middle of its start: it has its turn.
func TestTurnUnderWay(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 48, MaxConcurrency: 4})
		f.withOwnMaster(2)
		a := f.addForeign("a1", 0, knowledge(f.loop.Rand.IntN(int(ofAcks))))
		a.given = messages.ShardRange{First: 0, Last: 23}
		a.info.Ranges = []messages.RangeInfo{{Range: a.given, State: messages.RangeConnecting, Epoch: 1}}
		f.add("m1", f.good(nil), sesame)
		f.pass(time.Duration(30+f.loop.Rand.IntN(200)) * time.Second)
		want(f, "identifies of the other till then", f.identifies(), 0)
		a.reports(messages.RangeOperational)
		f.pass(plan.IdentifyEvery)
		want(f, "identifies of the other so soon", f.identifies(), 0)
		f.must("the other is READY", 2*time.Minute, f.owned(24))
	})
}

// One that announces no orders is given none, so that none waits for its answer forever.
func TestForeignTakesNoOrders(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 48, MaxConcurrency: 4})
		own := f.withOwnMaster(2)
		a := f.addForeign("a1", 20*time.Second, ofAcks)
		f.add("m1", f.good(nil), sesame)
		f.must("both are up", 3*time.Minute, func() bool { return a.up > 0 && f.owned(24)() })
		f.pass(time.Second)
		for _, d := range []messages.FleetDirective{messages.DrainMachine{Source: "a1"}, messages.RestartCluster{Cluster: 0}} {
			o := own.order("", d)
			f.must("an answer", time.Second, o.over)
			want(f, d.FleetOrder(), o.err(), `machine a1 takes no orders: its CONTROL did not announce "orders"`)
		}
		f.succeeds = true
		o := own.order("", messages.RollingRestart{})
		f.must("done", 2*time.Minute, o.over)
		want(f, "err", o.err(), "")
	})
}
