package scenarios

import (
	"fmt"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/mockmaster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/discord/rules"
)

// flood is one packet of a bot that floods CONTROL: requests, each taken back by the next packet,
// reports of permits that were not granted, sessions that never were, shards that come and go.
func flood(v fakecluster.Voice, i int) {
	event, shard := messages.Snowflake(fmt.Sprint(100_000+i)), i%4
	switch i % 8 {
	case 0, 1:
		v.Send(messages.PermitAsk{EventID: event, Shard: 0, Cause: messages.CauseReidentify})
	case 2:
		v.Send(messages.PermitSent{EventID: messages.Snowflake(fmt.Sprint(100_000 + i - 1)), Shard: 0})
	case 3:
		v.Send(messages.PermitSent{EventID: event, Shard: shard})
	case 4, 5:
		v.Send(messages.InstanceSessions{EventID: event, Sessions: []messages.Session{{Shard: shard, ShardCount: 8, SessionID: fmt.Sprint("s", i), ResumeGatewayURL: "wss://x"}}})
	case 6:
		v.Send(messages.ShardStatus{Shard: 1, State: messages.ShardDisconnected})
	case 7:
		v.Send(messages.ShardStatus{Shard: 1, State: messages.ShardReady})
	}
}

// A bot floods CONTROL with 2,000 packets a second. The link to MASTER stays, carries little of it,
// and the other cluster identifies as soon as it does without the flood.
func TestOneBotFloods(t *testing.T) {
	seeds(t, func(f *fleet) {
		var v fakecluster.Voice
		f.withDiscord(rules.Config{ShardCount: 8, MaxConcurrency: 8})
		i := initialise(8, 8)
		i.ShardsPerCluster = new(4)
		i.Features = append(i.Features, messages.FeaturePermits, messages.FeatureSessions)
		f.withMaster(mockmaster.Options{Initialise: i, TakesInfo: true, AcksBeats: true, Permit: func(r messages.PermitRequest) *messages.PermitAnswer {
			return &messages.PermitAnswer{ID: r.ID, Granted: true, UseWithinMS: 2000}
		}})
		m := f.add("m1", f.good(map[string]fakecluster.SDK{"0": {Speaks: func(x fakecluster.Voice) { v = x }}}))
		f.must("the link", time.Minute, f.sawN("master.linked", 1))
		f.connect(m, "c", 0, 7)
		f.must("all", 2*time.Minute, f.owned(8))
		f.pass(10 * time.Second)
		const seconds, perSecond = 30, 2000
		before, events, began := f.packets, len(f.events), f.loop.Now()
		took := time.Duration(0)
		for n := range seconds * 10 {
			for k := range perSecond / 10 {
				flood(v, n*perSecond/10+k)
			}
			f.pass(100 * time.Millisecond)
			switch {
			case n == 100:
				f.discord.Step(rules.Fault{Kind: rules.FaultInvalidate, Shard: 6})
			case n > 100 && took == 0 && f.identifies() > 8:
				took = f.loop.Now() - began - 10*time.Second
			}
		}
		want(f, "master.lost", f.saw("master.lost"), 0)
		if took == 0 || took > 2*time.Second {
			f.t.Errorf("the other cluster waited %v for its identify", took)
		}
		if packets := f.packets - before; packets > seconds*40 {
			f.t.Errorf("%d packets went to MASTER in %d s", packets, seconds)
		}
		if raised := len(f.events) - events; raised > seconds*60 {
			f.t.Errorf("%d events were raised in %d s", raised, seconds)
		}
		f.must("the flood is over, and all is well", time.Minute, f.owned(8))
	})
}

// MASTER sends errors and orders that cannot be obeyed, without end. Few of them are reported, with
// the number they cover, and what is served goes on.
func TestMasterFloods(t *testing.T) {
	seedsOf(t, 3, func(f *fleet) {
		m := f.alone(4, 4, ours(initialise(4, 4)), nil)
		f.connect(m, "c", 0, 3)
		f.must("all", time.Minute, f.owned(4))
		for n := range 1000 {
			f.master.Send("m1", messages.MasterError{Code: n % 100, Message: fmt.Sprint("error ", n)})
			f.master.Send("m1", messages.Connect{ID: fmt.Sprint("r", n), Redundant: true})
			f.pass(5 * time.Millisecond)
		}
		f.pass(time.Minute)
		f.master.Send("m1", messages.MasterError{Message: "the last"})
		f.pass(time.Second)
		if raised := f.saw("master.error") + f.saw("order.refused"); raised > 25 {
			f.t.Errorf("%d events were raised", raised)
		}
		stood := 0
		for _, h := range f.events {
			switch e := h.event.(type) {
			case messages.MasterReported:
				stood += max(e.Times, 1)
			case messages.OrderRefused:
				stood += max(e.Times, 1)
			}
		}
		want(f, "what they stand for", stood, 2001)
		want(f, "identifies", f.identifies(), 4)
	})
}

// Links with a wrong authorization knock at MASTER without end: few are reported, and CONTROLs come
// in as ever.
func TestKnocks(t *testing.T) {
	seedsOf(t, 3, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 4, MaxConcurrency: 4})
		own := f.withOwnMaster(1)
		for n := range 20 {
			f.add(fmt.Sprint("x", n), f.good(nil))
		}
		f.pass(10 * time.Minute) // each dials every 30 s
		f.add("m1", f.good(nil), sesame)
		f.must("all", 2*time.Minute, f.owned(4))
		if raised := own.saw("machine.refused"); raised > 25 {
			f.t.Errorf("machine.refused was raised %d times in 10 minutes", raised)
		}
	})
}

// A CONTROL sends MASTER 20,000 packets a second. MASTER reads them no faster than that machine's
// share allows, and serves another machine as well.
func TestOneMachineFloods(t *testing.T) {
	seedsOf(t, 1, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 4, MaxConcurrency: 4})
		f.withOwnMaster(1)
		f.add("m1", f.good(nil), sesame)
		f.must("all", time.Minute, f.owned(4))
		w, _ := sim.NewHost(f.loop, f.net, "x").Boot()
		answers, link := 0, transport.Link(nil)
		w.Dial(transport.Target{URL: masterURL, Header: map[string]string{"authorization": "open sesame", "source": "x"}}, func(l transport.Link, err error) {
			if err != nil {
				f.t.Error(err)
				return
			}
			l.Receive(func([]byte) { answers++; l.Ack() }, func(error) {})
			link = l
		})
		f.must("it is let in", time.Second, func() bool { return link != nil })
		for range 50 {
			for range 2000 {
				_ = link.Send([]byte("no packet"))
			}
			f.pass(100 * time.Millisecond)
		}
		if answers < 20_000 || answers > 20_000+5*5_000+1000 {
			f.t.Errorf("%d packets were answered in 5 s", answers)
		}
		before := f.identifies()
		f.discord.Step(rules.Fault{Kind: rules.FaultInvalidate, Shard: 2})
		f.must("the other machine's shard identifies", 7*time.Second, func() bool { return f.identifies() > before && f.owned(4)() })
	})
}
