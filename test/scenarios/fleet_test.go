// Package scenarios tells stories of whole fleets in simulated time, one a file, each run under many seeds.
//
// A run that fails prints its seed and how to see it again: SIM_SEED=<seed> go test ./test/scenarios -run <name>. SIM_N is how many seeds are tried, SIM_TRACE=1 prints every step.
package scenarios

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/mockmaster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/proc"
)

const (
	token     = messages.Secret("the-bot-token")
	masterURL = "ws://master:8642"
)

// defaultSeeds is how many seeds a story is tried with where SIM_N does not say.
const defaultSeeds = 20

// seeds runs a story under every seed asked for, each in a bubble of its own.
func seeds(t *testing.T, story func(f *fleet)) {
	t.Helper()
	first, n := uint64(1), defaultSeeds
	if s := os.Getenv("SIM_N"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	if s := os.Getenv("SIM_SEED"); s != "" {
		first, _ = strconv.ParseUint(s, 10, 64)
		if os.Getenv("SIM_N") == "" {
			n = 1
		}
	}
	for seed := first; seed < first+uint64(n); seed++ {
		run(t, seed, story)
		if t.Failed() {
			t.Fatalf("seed %d failed; replay: task sim SEED=%d RUN=%s", seed, seed, t.Name())
		}
	}
}

// run runs a story under one seed and gives the hash of its trace.
func run(t *testing.T, seed uint64, story func(f *fleet)) (hash uint64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, seed)
		defer func() { hash = f.loop.Hash() }()
		story(f)
		f.end()
	})
	return hash
}

// fleet is one run: the loop, the net, Discord, a scripted MASTER and any number of machines.
type fleet struct {
	t       *testing.T
	loop    *sim.Loop
	net     *sim.Net
	discord *sim.Discord
	rules   rules.Config
	master  *mockmaster.Master
	system  *actor.ActorSystem
	log     *strings.Builder

	machines map[string]*machine
	events   []heard
	dead     []string // unexpected dead letters and error lines
}

// heard is an event and where it was raised.
type heard struct {
	at      time.Duration
	machine string
	event   messages.Event
}

// machine is one host with a CONTROL on it.
type machine struct {
	*sim.Host
	root *actor.PID
	gone bool // its root actor ended
}

func newFleet(t *testing.T, seed uint64) *fleet {
	l := sim.NewLoop(seed)
	f := &fleet{t: t, loop: l, net: sim.NewNet(l, 80*time.Millisecond), machines: map[string]*machine{}, log: &strings.Builder{}}
	f.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }))
	if os.Getenv("SIM_TRACE") != "" {
		l.Trace = func(line string) { t.Log(line) }
	}
	l.Check = f.check
	return f
}

// check is asked after every step: what must always hold (DESIGN §8).
func (f *fleet) check() error {
	if f.discord == nil {
		return nil
	}
	c := f.discord.Rules.Counts()
	switch {
	case c.Violations > 0:
		return fmt.Errorf("I1: %+v", f.discord.Rules.Score().ViolationLog)
	case c.DuplicatesOpen > 0:
		return fmt.Errorf("I2: a shard has two owners: %+v", f.discord.Rules.Score().DuplicateLog)
	}
	return nil
}

// withDiscord puts Discord into the net.
func (f *fleet) withDiscord(c rules.Config) {
	c.Token = token.Reveal()
	f.rules = c
	f.discord = sim.NewDiscord(f.loop, f.net, c)
}

// withMaster puts a scripted MASTER into the net.
func (f *fleet) withMaster(o mockmaster.Options) {
	f.master = mockmaster.New(o)
	_, err := f.net.Listen("master", masterURL, f.master.Accept)
	if err != nil {
		f.t.Fatal(err)
	}
}

// initialise is what our own MASTER would say, without permits.
func initialise(shards, maxConcurrency int) messages.Initialise {
	return messages.Initialise{Token: token, HeartbeatInterval: new(messages.Milliseconds(5000)), ShardCount: new(shards), MaxConcurrency: new(maxConcurrency),
		Features: []string{messages.FeatureInfo, messages.FeatureHeartbeat, messages.FeatureOrders}, Epoch: 1}
}

// add makes a machine whose clusters run the given program, and starts its CONTROL.
func (f *fleet) add(name string, program func(proc.Spec) (sim.Program, error), change ...func(*actors.Options)) *machine {
	m := &machine{Host: sim.NewHost(f.loop, f.net, name)}
	m.Program = program
	m.Log = f.logger(name)
	f.machines[name] = m
	f.boot(m, change...)
	return m
}

// boot starts a life of the machine's CONTROL.
func (f *fleet) boot(m *machine, change ...func(*actors.Options)) {
	w, prefix := m.Boot()
	o := options(m.Name)
	o.Behaviours = []actors.Behaviour{{Name: "witness", Actor: func(_ *world.World, h actors.House) actor.Actor { return &witness{f: f, machine: m.Name, house: h} }}}
	for _, c := range change {
		c(&o)
	}
	root, err := f.system.Root.SpawnNamed(actors.New(w, o), prefix+"masterlink")
	if err != nil {
		f.t.Fatal(err)
	}
	m.root, m.gone = root, false
	_, err = f.system.Root.SpawnNamed(w.Spawn("watch", func() actor.Actor {
		return actorFunc(func(ctx actor.Context) {
			switch ctx.Message().(type) {
			case *actor.Started:
				ctx.Watch(root)
			case *actor.Terminated:
				m.gone = true
			}
		})
	}), prefix+"watch")
	if err != nil {
		f.t.Fatal(err)
	}
}

type actorFunc func(actor.Context)

func (fn actorFunc) Receive(ctx actor.Context) { fn(ctx) }

// options is a CONTROL as most stories want it.
func options(name string) actors.Options {
	return actors.Options{
		Version: "test", Hostname: name, PID: 4242, CPUs: 2,
		Master: actors.Master{URL: masterURL, Source: name},
		Cluster: actors.ClusterOptions{
			Command: []string{"bot"}, BaseEnv: []string{"PATH=/bin", "CONTROL_SECRET=x"}, Sockets: "/run/" + name, Logs: "/log",
			HelloTimeout: 30 * time.Second, ReadyTimeout: time.Minute, Heartbeat: 5 * time.Second, StopGrace: 8 * time.Second, KillGrace: 2 * time.Second,
			OnLost: messages.OnLostAutonomous,
		},
		Identify: actors.IdentifyOptions{TTL: 2 * time.Second, Margin: 100 * time.Millisecond},
	}
}

// good is the program of a bot on our SDK; odd changes the one with the given cluster id.
func (f *fleet) good(odd map[string]fakecluster.SDK) func(proc.Spec) (sim.Program, error) {
	return func(spec proc.Spec) (sim.Program, error) {
		return func(p *sim.Proc) {
			character := odd[p.Env("CLUSTER_ID")]
			character.Discord = f.discord
			character.Program(p)
		}, nil
	}
}

// witness is a behaviour that remembers every event.
type witness struct {
	f       *fleet
	machine string
	house   actors.House
}

func (w *witness) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(w.house.Herald, messages.Subscribe{})
	case messages.Event:
		w.f.events = append(w.f.events, heard{w.f.loop.Now(), w.machine, m})
	}
}

// logger keeps the log, and takes an "unexpected message" or a panic for a failure of the run.
func (f *fleet) logger(name string) zerolog.Logger {
	return zerolog.New(writer(func(line []byte) {
		f.log.WriteString(fmt.Sprintf("%12v %s %s", f.loop.Now(), name, line))
		if strings.Contains(string(line), "unexpected message") || strings.Contains(string(line), "panic") {
			f.loop.Fail(fmt.Errorf("%s", line))
		}
		if strings.Contains(string(line), token.Reveal()) {
			f.loop.Fail(errors.New("I7: the token is in the log"))
		}
	})).Level(zerolog.InfoLevel)
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) { w(b); return len(b), nil }

// must runs for at most d until done, and fails the run when that does not come, with the log.
func (f *fleet) must(what string, d time.Duration, done func() bool) {
	f.t.Helper()
	err := f.loop.Until(d, done)
	if err == nil && !done() {
		err = fmt.Errorf("%s: not within %v", what, d)
	}
	if err != nil {
		f.t.Fatalf("%v\n%s", err, f.log)
	}
}

// pass lets time go by.
func (f *fleet) pass(d time.Duration) {
	f.t.Helper()
	if err := f.loop.Run(d); err != nil {
		f.t.Fatalf("%v\n%s", err, f.log)
	}
}

// owned is how many shards have an owner at Discord.
func (f *fleet) owned(n int) func() bool {
	return func() bool { return f.discord.Rules.Counts().Owned == n }
}

// saw counts the events with a name.
func (f *fleet) saw(name string) int {
	n := 0
	for _, h := range f.events {
		if got, _ := h.event.Event(); got == name {
			n++
		}
	}
	return n
}

// sawN gives a condition: so many events with a name.
func (f *fleet) sawN(name string, n int) func() bool {
	return func() bool { return f.saw(name) >= n }
}

// end stops every CONTROL as an operator would, and looks at what is left (I5).
func (f *fleet) end() {
	f.t.Helper()
	if f.t.Failed() {
		return
	}
	for _, m := range f.machines {
		if !m.gone {
			f.system.Root.Send(m.root, messages.Stop{Reason: "the story ends"})
		}
	}
	f.must("every CONTROL stops", time.Minute, func() bool {
		for _, m := range f.machines {
			if !m.gone {
				return false
			}
		}
		return true
	})
	for _, m := range f.machines {
		if left := m.Processes(); len(left) > 0 {
			f.t.Fatalf("I5: %s has %d processes left after an ordered stop\n%s", m.Name, len(left), f.log)
		}
	}
	f.system.Shutdown()
	time.Sleep(2 * time.Second) // protoactor's dead-letter throttle lives for one more second
}
