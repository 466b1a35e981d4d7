package scenarios

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/discluster/control/actors/master"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport"
	codec "github.com/discluster/control/transport/master"
)

// perMachine is the number of shards of a machine of the large fleet.
const perMachine = 160

// crowd is a fleet of CONTROLs that are only their links: they send what CONTROLs send, at the same
// pace, without bots. MASTER is what is measured.
type crowd struct {
	loop  *sim.Loop
	net   *sim.Net
	own   *ownMaster
	links []transport.Link
	place []messages.Place
	seq   int64
}

// BenchmarkMaster measures MASTER at three sizes of a fleet: CPU time of a start's placement and of
// the loss of a machine, from the end of its grace until its shards are ordered elsewhere; memory a
// shard; and the share of one core that heartbeats and moving sessions take at their real pace. CPU
// time is that of MASTER's actors, including encoding and decoding, without the simulation around
// them.
func BenchmarkMaster(b *testing.B) {
	for _, machines := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("machines=%d", machines), func(b *testing.B) {
			one := testing.InternalTest{Name: "crowd", F: func(t *testing.T) {
				for b.Loop() {
					run(t, 1, func(f *fleet) { measure(b, f, machines) })
				}
			}}
			if !testing.RunTests(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{one}) {
				b.Fatal("the run failed")
			}
		})
	}
}

func measure(b *testing.B, f *fleet, machines int) {
	f.loop.Check = nil
	shards := machines * perMachine
	before := heap()
	c := &crowd{loop: f.loop, net: f.net, links: make([]transport.Link, machines), place: make([]messages.Place, machines)}
	m := &ownMaster{Host: sim.NewHost(f.loop, f.net, "master"), f: f}
	m.options = master.Options{Listen: masterURL, Authorization: "open sesame", Token: token,
		Failed: func(error) {}, Observe: func(e messages.Event) { m.events = append(m.events, e) }}
	m.options.Shards, m.options.MaxConcurrency, m.options.Expect = shards, 16, machines
	m.options.Wait, m.options.Grace = 45*time.Second, 30*time.Second
	m.options.Heartbeat, m.options.TTL, m.options.Margin = 5*time.Second, 2*time.Second, 100*time.Millisecond
	m.start()
	c.own = m
	runtime.LockOSThread() // for threadCPU
	defer runtime.UnlockOSThread()
	var own time.Duration
	f.loop.Around = func(actor string, turn func()) {
		began := threadCPU(b)
		turn()
		own += threadCPU(b) - began
	}
	for i := range machines {
		c.dial(i)
	}
	f.pass(4 * time.Second) // all of them have dialled, have slots and have their ranges
	b.ReportMetric(float64(own.Microseconds())/1000, "start-cpu-ms")
	for i := range machines {
		c.sessions(i)
	}
	f.pass(5 * time.Second)
	b.ReportMetric(float64(heap()-before)/float64(shards), "B/shard")
	own = 0
	for range 4 { // 20 s of the real pace
		for i := range machines {
			c.beat(i)
			c.sessions(i)
		}
		f.pass(5 * time.Second)
	}
	b.ReportMetric(own.Seconds()/20, "cores")
	c.links[0].Close(1006, "dead")
	for range 5 {
		f.pass(5 * time.Second)
		for i := range machines - 1 {
			c.beat(i + 1)
		}
	}
	f.pass(4 * time.Second)
	own = 0
	f.pass(2 * time.Second)
	want(f, "machine.replaced", m.saw("machine.replaced"), 1)
	b.ReportMetric(float64(own.Microseconds())/1000, "loss-cpu-ms")
	f.system.Root.Send(m.root, master.Stop{})
	f.pass(time.Second)
}

// threadCPU returns what this thread has used.
func threadCPU(b *testing.B) time.Duration {
	var used unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Nano())
}

// heap returns the bytes in use.
func heap() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

func (c *crowd) dial(i int) {
	name := fmt.Sprintf("m%04d", i)
	c.net.Dial(name, masterURL, transport.Greeting{Remote: name, Authorization: "open sesame", Source: name, Instance: name}, func(l transport.Link, err error) {
		if err != nil {
			panic(err)
		}
		c.links[i] = l
		l.Receive(func(frame []byte) {
			l.Ack()
			if p, err := codec.DecodeFromMaster(frame); err == nil {
				c.heard(i, p)
			}
		}, func(error) {})
	})
}

// heard answers as a CONTROL does, as far as MASTER waits for it.
func (c *crowd) heard(i int, p messages.FromMaster) {
	if init, is := p.(messages.Initialise); is {
		if init.Machine != nil {
			c.place[i] = *init.Machine
		}
		c.say(i, messages.Info{Hostname: "host", Version: "test", CPUs: 8, MemoryBytes: 16 << 30, Epoch: init.Epoch, Machine: c.place[i],
			Features: []string{messages.FeatureInfo, messages.FeatureHeartbeat, messages.FeaturePermits, messages.FeatureSessions, messages.FeatureOrders}})
	}
}

func (c *crowd) say(i int, p messages.FromControl) {
	frame, err := codec.EncodeFromControl(p)
	if err != nil {
		panic(err)
	}
	_ = c.links[i].Send(frame)
}

func (c *crowd) beat(i int) {
	c.seq++
	r := messages.ShardRange{First: i * perMachine, Last: (i+1)*perMachine - 1}
	c.say(i, messages.Heartbeat{Seq: c.seq, ShardsReady: perMachine, Ranges: []messages.RangeInfo{{Range: r, State: messages.RangeOperational, Epoch: 1}}})
}

// sessions reports that the seq of every shard has moved.
func (c *crowd) sessions(i int) {
	c.seq++
	var moved messages.SessionsMoved
	for s := i * perMachine; s < (i+1)*perMachine; s++ {
		moved.Sessions = append(moved.Sessions, messages.Session{Shard: s, ShardCount: len(c.links) * perMachine, SessionID: fmt.Sprintf("%032x", s), Seq: c.seq,
			ResumeGatewayURL: "wss://gateway-us-east1-b.discord.gg", At: messages.At(time.Now()), Intents: 513, UserID: "81384788765712384", ApplicationID: "81384788765712384"})
	}
	c.say(i, moved)
}
