package fleet

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/transcript"
)

// A scene plays events to a Fleet. Its machines behave as CONTROLs do: they report once they are
// greeted, serve what they are granted, and let go of what they have to.
type scene struct {
	*transcript.Transcript
	t        *testing.T
	fleet    *Fleet
	links    int
	machines map[string]*control
}

// control is a CONTROL as a Fleet sees it.
type control struct {
	source, instance string
	link             int // 0: not linked
	info             messages.Info
	silent           bool // it does not report
	unaware          bool // it does not learn its slots
	deaf             bool // it takes no orders
	refuses          bool // ranges
}

func options() Options {
	return Options{Expect: 1, Wait: 45 * time.Second, Grace: 30 * time.Second, Heartbeat: 5 * time.Second, TTL: 2 * time.Second, Margin: 100 * time.Millisecond,
		ShardsPerCluster: 4}
}

// play begins a scene at epoch 1000.
func play(t *testing.T, change ...func(*Options)) *scene {
	o := options()
	for _, c := range change {
		c(&o)
	}
	s := &scene{Transcript: transcript.New(t), t: t, machines: map[string]*control{}}
	s.fleet = New(o, "t0ken", func() float64 { return 0.5 }, 1000, s.Now())
	s.do("MASTER starts", Started{})
	return s
}

func expect(n int) func(*Options) { return func(o *Options) { o.Expect = n } }

// do plays an event, and all that the machines do because of it.
func (s *scene) do(text string, e Event) {
	s.play(text, e)
	s.Settle()
}

func (s *scene) play(text string, e Event) {
	before := s.fleet.State()
	s.Event(text)
	for _, effect := range s.fleet.Step(e, s.Now()) {
		s.Effect(s.line(effect))
		s.react(effect)
	}
	if after := s.fleet.State(); after != before {
		s.State(string(after))
	}
}

// skip lets time pass, with the timers that are due in it.
func (s *scene) skip(d time.Duration) {
	s.Skip(d, func(event any) {
		if t, ok := event.(Timeout); !ok || s.fleet.expired(t) {
			s.do("timer: "+timerName(event.(Event)), event.(Event))
		}
	})
}

// sleep lets time pass while MASTER is suspended: its timers come late.
func (s *scene) sleep(d time.Duration) {
	s.Sleep(d)
	s.Event(fmt.Sprintf("MASTER was suspended for %v", d))
	s.skip(0)
}

func (s *scene) discord(shards, maxConcurrency, remaining int) {
	s.do(fmt.Sprintf("Discord: %d shards, max_concurrency %d, %d of 1000 identifies left", shards, maxConcurrency, remaining),
		Answered{Bot: plan.GatewayBot{Shards: shards, MaxConcurrency: maxConcurrency, Total: 1000, Remaining: remaining, ResetAfter: time.Hour}})
}

// arrive links a machine. What it served before it still serves.
func (s *scene) arrive(source string, change ...func(*control)) *control {
	s.links++
	c := s.machines[source]
	if c == nil {
		c = &control{source: source, instance: source + "-1", info: messages.Info{Hostname: source + ".example", Version: "v1", CPUs: 2, MemoryBytes: 1 << 30,
			Features: []string{messages.FeaturePermits, messages.FeatureOrders}}}
		s.machines[source] = c
	}
	for _, f := range change {
		f(c)
	}
	c.link = s.links
	s.do(source+" arrives", Arrived{Link: c.link, Authorized: true, Source: source, Instance: c.instance, Remote: "10.0.0.1"})
	return c
}

// lose ends a machine's link.
func (s *scene) lose(source string) {
	c := s.machines[source]
	link := c.link
	c.link = 0
	s.do(source+" is lost", Parted{Source: source, Link: link, Err: "connection reset"})
}

// leave ends a machine's link in order, after it stopped everything.
func (s *scene) leave(source string) {
	c := s.machines[source]
	link := c.link
	c.info.Ranges = nil
	s.do(source+" stopped everything", Serves{Source: source, Link: link})
	c.link = 0
	s.do(source+" says goodbye", Parted{Source: source, Link: link, Code: 1000, Err: "bye"})
}

// up makes everything READY that a machine serves.
func (s *scene) up(source string) {
	c := s.machines[source]
	for i := range c.info.Ranges {
		c.info.Ranges[i].State = messages.RangeOperational
	}
	s.do(source+" is up", Serves{source, c.link, slices.Clone(c.info.Ranges)})
}

// fatal reports that Discord closed a machine's first shard with a code.
func (s *scene) fatal(source string, code int) {
	s.do(fmt.Sprintf("%s: Discord closed shard 0 with %d", source, code), Fatal{Source: source, Packet: messages.Fatal{Code: code, Message: "closed", Shards: rng(0, 0)}, Times: 1})
}

// ack answers a command of an order.
func (s *scene) ack(source, command, order string, a messages.Ack) {
	a.ID = command + "/" + order + "/" + source
	s.do(source+": "+map[bool]string{true: "done", false: a.Progress}[a.OK != nil], Acked{source, s.machines[source].link, a})
}

func (s *scene) order(id string, d messages.FleetDirective) {
	s.do(fmt.Sprintf("operator: %s (order %s)", d.FleetOrder(), id), Ordered{messages.FleetOrder{ID: id, Directive: d, By: "operator"}})
}

// serving changes a machine into one that serves already, by an order of an epoch.
func serving(epoch int64, place messages.Place, ranges ...messages.ShardRange) func(*control) {
	return func(c *control) {
		c.info.Machine, c.info.ShardCount, c.info.MaxConcurrency, c.info.ShardsPerCluster = place, 16, 1, 4
		c.info.Ranges = nil
		for _, r := range ranges {
			c.info.Ranges = append(c.info.Ranges, messages.RangeInfo{Range: r, State: messages.RangeOperational, Epoch: epoch})
		}
	}
}

// react plays the machines' reaction to an effect.
func (s *scene) react(effect Effect) {
	switch e := effect.(type) {
	case After:
		s.After(e.For, e.Event)
	case Greet:
		if c := s.linked(e.Link); c != nil {
			c.greeted(e.Initialise)
			if epoch := c.info.Epoch; !c.silent {
				s.Later(func() { s.report(c, e.Link, epoch) })
			}
		}
	case Send:
		if c := s.linked(e.Link); c != nil {
			s.Later(func() { s.obey(c, e.Packet) })
		}
	}
}

func (s *scene) linked(link int) *control {
	for _, c := range s.machines {
		if c.link == link {
			return c
		}
	}
	return nil
}

func (c *control) greeted(i messages.Initialise) {
	c.info.Epoch = max(c.info.Epoch, i.Epoch)
	if i.Machine != nil && !c.unaware {
		c.info.Machine = *i.Machine
	}
	if i.ShardCount != nil && len(c.info.Ranges) == 0 {
		c.info.ShardCount, c.info.MaxConcurrency, c.info.ShardsPerCluster = *i.ShardCount, *i.MaxConcurrency, *i.ShardsPerCluster
	}
	if i.Drained != nil {
		c.info.Drained = *i.Drained
	}
}

// report reports what a machine is, and the epoch that it was greeted with.
func (s *scene) report(c *control, link int, epoch int64) {
	if c.link != link {
		return
	}
	i := c.info
	i.Epoch, i.Ranges = epoch, slices.Clone(i.Ranges)
	text := fmt.Sprintf("%s reports: epoch %d, slots %s, serves %s", c.source, i.Epoch, slot(i.Machine), served(i.Ranges))
	if i.Drained {
		text += ", drained"
	}
	if i.Halted != nil {
		text += ", halted"
	}
	s.play(text, Informed{Source: c.source, Link: link, Info: i})
}

func (s *scene) obey(c *control, p messages.FromMaster) {
	if c.link == 0 || c.deaf {
		return
	}
	switch p := p.(type) {
	case messages.Connect:
		if p.Range == nil {
			return
		}
		if c.refuses {
			s.play(c.source+" refuses "+p.Range.String(), Acked{c.source, c.link, messages.Ack{ID: p.ID, OK: new(false), Error: "stopping", Range: p.Range}})
			return
		}
		for _, r := range c.info.Ranges {
			if r.Range.Overlaps(*p.Range) {
				return
			}
		}
		c.info.Ranges = append(c.info.Ranges, messages.RangeInfo{Range: *p.Range, State: messages.RangeConnecting, Epoch: c.info.Epoch})
		s.play(c.source+" starts "+p.Range.String(), Serves{c.source, c.link, slices.Clone(c.info.Ranges)})
	case messages.Offload:
		c.info.Ranges = slices.DeleteFunc(c.info.Ranges, func(r messages.RangeInfo) bool { return r.Range.Overlaps(p.Range) })
		s.play(c.source+" let go of "+p.Range.String(), Released{c.source, c.link, p.Range})
		s.play(c.source+" serves "+served(c.info.Ranges), Serves{c.source, c.link, slices.Clone(c.info.Ranges)})
	case messages.Shutdown:
		c.info.Ranges, c.info.Halted = nil, p.Halt
		s.play(c.source+" stopped everything", Serves{Source: c.source, Link: c.link})
	case messages.Command:
		if p.Name == messages.CommandResumeFleet {
			h := new(messages.Halt)
			if err := json.Unmarshal(p.Args, h); err != nil {
				s.t.Fatal(err)
			}
			c.info.Halted, c.info.Resumed = nil, h
		}
	}
}
