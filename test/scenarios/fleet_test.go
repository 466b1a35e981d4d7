// Package scenarios tests whole fleets in simulated time, one story a file, each run under many
// seeds.
//
//	fleet_test.go   a run: the loop, the net, Discord, a scripted MASTER, any number of machines
//	check_test.go   what must hold after every step of every story
//	ask_test.go     what stories ask and check
//
// A run that fails prints its seed and how to replay it: SIM_SEED=<seed> go test ./test/scenarios
// -run <name>. SIM_N is how many seeds are tried, SIM_TRACE=1 prints every step. SIM_KIND=gateway
// lets stories that draw a kind of bots draw gateway hosts.
package scenarios

import (
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/actors/cluster"
	"github.com/discluster/control/actors/gate"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/mockmaster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/proc"
)

const (
	// has the form of Discord's, and is none
	token     = messages.Secret("MTk4NjIyNDgzNDcxOTI1MjQ4" + ".Cl2FMQ." + "ZnCjm1XVW7vRze4b7Cq4se7kKWs")
	masterURL = "ws://master:8642"
)

// defaultSeeds is the number of seeds a story runs with where SIM_N is unset.
const defaultSeeds = 20

// A simulation makes much garbage and keeps little: collecting it as often as a daemon does would
// cost a fifth of the time.
func TestMain(m *testing.M) {
	fakecluster.Warm()
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(256 << 20)
	m.Run()
}

// seeds runs a story under every seed asked for, each in a bubble of its own.
func seeds(t *testing.T, story func(f *fleet)) {
	t.Helper()
	seedsOf(t, defaultSeeds, story)
}

// seedsOf is seeds for a story with another default, because it is long.
func seedsOf(t *testing.T, n int, story func(f *fleet)) {
	t.Helper()
	first := uint64(1)
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
	}
}

// run runs a story under one seed and returns the hash of its trace.
func run(t *testing.T, seed uint64, story func(f *fleet)) (hash uint64) {
	t.Helper()
	defer func() { // also when the bubble's failure ends this goroutine
		if t.Failed() {
			kind := ""
			if k := os.Getenv("SIM_KIND"); k != "" {
				kind = "SIM_KIND=" + k + " "
			}
			t.Logf("seed %d failed; replay: %stask sim SEED=%d RUN='%s'", seed, kind, seed, t.Name())
		}
	}()
	// only one goroutine at a time has anything to do, and waking others costs a sixth of the time
	runtime.GOMAXPROCS(1)
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, seed)
		defer f.forget()
		defer func() { hash = f.loop.Hash() }()
		story(f)
		f.end()
	})
	return hash
}

// system is shared by all runs, for one costs 2.8 MB and 3 ms. Runs are distinguished by the prefix
// of their actors' names.
var system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }))

// fleet is one run.
type fleet struct {
	t       testing.TB
	system  *actor.ActorSystem
	loop    *sim.Loop
	net     *sim.Net
	discord *sim.Discord
	rules   rules.Config
	master  *mockmaster.Master
	log     *strings.Builder

	machines   map[string]*machine
	dials      []time.Duration // of MASTER
	starts     map[string]int  // of each cluster, tried
	events     []heard
	packets    int           // that came to a scripted MASTER
	clockSet   time.Duration // when a wall clock was set last
	diskFailed bool          // a disk took nothing for a while, and records are missing
	succeeds   bool          // a process may boot while the one before it serves: a rolling restart
	reserve    int           // of the day's identifies: with crashes alone it must be left
	mixed      bool          // not crashes alone: what others take of the reserve is left out
	forgets    bool          // bots keep no sessions
	lender     bool          // a scripted MASTER lends shares of the day's identifies
	others     int           // identifies of this day that were no crash's
	day        int           // of Discord, in which others were counted
	doubles    bool          // an unreachable machine goes on serving: what it has may have another owner, too
	gateway    *gateways     // of clusters that are gateway hosts; nil: none is
	leaky      bool          // CONTROLs are of another version, which passes on secrets: MASTER alone is held to I7
	panics     bool          // CONTROL's own code panics in this story on purpose
	letters    func()        // ends the watch on dead letters
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
	root   *actor.PID
	gone   bool              // its root actor ended
	spare  bool              // nothing may run on it
	run    int               // of CONTROL
	latest map[string]*start // of each cluster
	paid   paid              // from its share
	parted time.Duration     // when its link to MASTER was seen to be gone; 0: it is there
	gaveUp map[messages.ClusterID]bool
	tried  map[messages.ClusterID]int // processes started since every shard was READY, or an operator was asked for
}

func newFleet(t testing.TB, seed uint64) *fleet {
	l := sim.NewLoop(seed)
	f := &fleet{t: t, system: system, loop: l, net: sim.NewNet(l, jitter), machines: map[string]*machine{}, starts: map[string]int{}, log: &strings.Builder{}}
	if os.Getenv("SIM_TRACE") != "" {
		l.Trace = func(line string) { t.Log(line) }
	}
	l.Check = f.check
	f.net.Dialled = func(_, address string) {
		if address == masterURL {
			f.dials = append(f.dials, l.Now())
		}
	}
	f.letters = f.watchLetters()
	return f
}

// jitter is the largest delay of a frame.
const jitter = 80 * time.Millisecond

// withDiscord puts Discord into the net.
func (f *fleet) withDiscord(c rules.Config) {
	c.Token = token.Reveal()
	if f.gateway != nil {
		c.Guilds = 2 * c.ShardCount
	}
	f.rules = c
	f.discord = sim.NewDiscord(f.loop, f.net, c)
	f.discord.Heard = f.blame
	f.gateway.watch()
}

// withMaster puts a scripted MASTER into the net, in place of an earlier one.
func (f *fleet) withMaster(o mockmaster.Options) {
	f.master = mockmaster.New(o)
	f.listen(f.master)
}

// listen lets a MASTER be dialled, until stop.
func (f *fleet) listen(m *mockmaster.Master) (stop func()) {
	stop, err := f.net.Listen("master", masterURL, func(l transport.Link, g transport.Greeting) {
		f.linked(g)
		m.Accept(tap{l, f}, g)
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return stop
}

// initialise returns the initialise of this project's MASTER, without permits.
func initialise(shards, maxConcurrency int) messages.Initialise {
	return messages.Initialise{Token: token, HeartbeatInterval: new(messages.Milliseconds(5000)), ShardCount: new(shards), MaxConcurrency: new(maxConcurrency),
		Features: []string{messages.FeatureInfo, messages.FeatureHeartbeat, messages.FeatureOrders}, Epoch: 1}
}

// ours is this project's MASTER as far as a script goes.
func ours(i messages.Initialise) mockmaster.Options {
	return mockmaster.Options{Initialise: i, TakesInfo: true, AcksBeats: true}
}

// add makes a machine whose clusters run the given program, and starts its CONTROL.
func (f *fleet) add(name string, program func(proc.Spec) (sim.Program, error), change ...func(*actors.Options)) *machine {
	m := &machine{Host: sim.NewHost(f.loop, f.net, name), latest: map[string]*start{}, gaveUp: map[messages.ClusterID]bool{}, tried: map[messages.ClusterID]int{}}
	m.Program, m.Started = program, func(p *sim.Proc) { f.started(m, p) }
	m.Log, m.Leaky = f.logger(name), f.leaky
	if f.gateway != nil {
		m.Folder = filepath.Join(f.gateway.folder, name)
	}
	f.machines[name] = m
	f.boot(m, change...)
	return m
}

// boot starts a run of the machine's CONTROL.
func (f *fleet) boot(m *machine, change ...func(*actors.Options)) {
	w, prefix := m.Boot()
	m.run++
	for _, p := range m.Processes() { // one that is taken back counts as this run's start
		if id, err := strconv.Atoi(p.Env("CLUSTER_ID")); err == nil {
			m.tried[messages.ClusterID(id)] = max(m.tried[messages.ClusterID(id)], 1)
		}
	}
	o := options(m.Name)
	o.Behaviours = []world.Behaviour{{Name: "witness", Actor: func(_ *world.World, h world.Addresses) actor.Actor { return &witness{f: f, machine: m, addresses: h} }}}
	if f.gateway != nil {
		behindHosts(&o)
	}
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
				ctx.Stop(ctx.Self())
			}
		})
	}), prefix+"watch")
	if err != nil {
		f.t.Fatal(err)
	}
}

// inOrder returns every machine by its name.
func (f *fleet) inOrder() []*machine {
	var all []*machine
	for _, name := range slices.Sorted(maps.Keys(f.machines)) {
		all = append(all, f.machines[name])
	}
	return all
}

// powerOff ends everything on a machine at once.
func (f *fleet) powerOff(m *machine) {
	m.PowerOff()
	m.gone = true
}

type actorFunc func(actor.Context)

func (fn actorFunc) Receive(ctx actor.Context) { fn(ctx) }

// controlPID is the pid of every CONTROL.
const controlPID = 4242

// options returns the options of a CONTROL in most stories.
func options(name string) actors.Options {
	return actors.Options{
		Version: "test", Hostname: name, PID: controlPID, CPUs: 2,
		Master: actors.Master{URL: masterURL, Source: name},
		Cluster: cluster.Options{
			Command: []string{"bot"}, BaseEnv: []string{"PATH=/bin", "CONTROL_SECRET=x"}, Sockets: "/run/" + name + "/", Logs: "/log", Owner: name,
			Protocol:     messages.ProtocolSDK,
			HelloTimeout: 30 * time.Second, ReadyTimeout: time.Minute, Heartbeat: 5 * time.Second, StopGrace: 8 * time.Second, KillGrace: 2 * time.Second,
			OnLost: messages.OnLostAutonomous,
		},
		Identify: gate.Options{TTL: 2 * time.Second, Margin: 100 * time.Millisecond},
	}
}

// good returns the program of a bot on the project's SDK; odd changes the one with the given
// cluster id.
func (f *fleet) good(odd map[string]fakecluster.SDK) func(proc.Spec) (sim.Program, error) {
	return f.cast(func(cluster string, _ int) fakecluster.SDK { return odd[cluster] })
}

// cast gives each start of each cluster a character; its starts are numbered from 1.
func (f *fleet) cast(character func(cluster string, start int) fakecluster.SDK) func(proc.Spec) (sim.Program, error) {
	return f.bots(func(cluster string, start int) (sim.Program, error) {
		c := character(cluster, start)
		c.Discord = f.discord
		return c.Program, nil
	})
}

// bots gives each start of each cluster a program.
func (f *fleet) bots(program func(cluster string, start int) (sim.Program, error)) func(proc.Spec) (sim.Program, error) {
	return func(spec proc.Spec) (sim.Program, error) {
		i := slices.IndexFunc(spec.Env, func(kv string) bool { return strings.HasPrefix(kv, "CLUSTER_ID=") })
		cluster := strings.TrimPrefix(spec.Env[i], "CLUSTER_ID=")
		f.starts[cluster]++
		return program(cluster, f.starts[cluster])
	}
}

// logger keeps the log, and treats an "unexpected message" or a panic as a failure of the run.
func (f *fleet) logger(name string) zerolog.Logger {
	return zerolog.New(writer(func(line []byte) { f.logged(name, string(line)) })).Level(zerolog.InfoLevel)
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) { w(b); return len(b), nil }

// end stops every CONTROL as an operator would, and checks what is left (I5).
func (f *fleet) end() {
	f.t.Helper()
	if f.t.Failed() {
		return
	}
	for _, m := range f.inOrder() {
		if !m.gone {
			f.system.Root.Send(m.root, messages.Stop{Reason: "the story ends"})
		}
	}
	f.must("every CONTROL stops", time.Minute, func() bool {
		return !slices.ContainsFunc(f.inOrder(), func(m *machine) bool { return !m.gone })
	})
	f.nothingLeft()
	f.secretEvents()
}

// forget removes the run from the shared system.
func (f *fleet) forget() {
	f.letters()
	for _, m := range f.machines {
		m.PowerOff() // a story that failed left some
	}
	for _, pid := range f.loop.Actors() {
		f.system.ProcessRegistry.Remove(pid)
	}
	// protoactor's dead-letter throttle runs for one more second, the goroutines of a real bot for
	// some more
	time.Sleep(10 * time.Second)
	*f = fleet{} // the system keeps a guardian of every root, and with it the logger that knows the fleet
}
