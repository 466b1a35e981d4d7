package rehearsal

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/actors/master"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/proc"
)

// Settings is the operator's configuration as the actors have it. The simulation replaces the name,
// folders and addresses of this machine.
type Settings struct {
	Control actors.Options
	Master  master.Options
}

const (
	masterPlace = "master"
	masterURL   = "ws://master:8642"
	token       = messages.Secret("a-simulated-token")
	secret      = messages.Secret("a-simulated-secret") // between MASTER and its CONTROLs
)

// fleet is Discord, MASTER and the machines of one run.
type fleet struct {
	loop     *sim.Loop
	net      *sim.Net
	discord  *sim.Discord
	rules    rules.Config
	system   *actor.ActorSystem
	master   *station
	machines []*station
	runsOn   map[messages.ClusterID]*station // the station that started each cluster last
	bot      Bot
	protocol messages.Protocol
	observer observer
}

// observer holds the callbacks of a fleet.
type observer struct {
	event  func(where string, e messages.Event)
	failed func(error)                               // MASTER failed
	shard  func(owner *sim.Proc, shard int, up bool) // a process has a shard READY, or no longer
}

// station is a host with the CONTROL or MASTER that runs on it.
type station struct {
	*sim.Host
	props func(*world.World) *actor.Props
	root  string // its root actor's name
	pid   *actor.PID
	off   bool // without power
	down  bool // its CONTROL or MASTER is dead
}

func machineName(i int) string { return "m" + strconv.Itoa(i) }

// newFleet returns a fleet of which nothing runs so far.
func newFleet(s Scenario, as Settings, observer observer) *fleet {
	l := sim.NewLoop(uint64(s.Seed))
	f := &fleet{
		loop: l, net: sim.NewNet(l, s.Fleet.Latency), rules: s.Fleet.rules(token.Reveal()), bot: s.Bot, protocol: as.Control.Cluster.Protocol, runsOn: map[messages.ClusterID]*station{}, observer: observer,
		system: actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) })),
	}
	f.discord = sim.NewDiscord(l, f.net, f.rules)
	f.master = f.station(masterPlace, "fleet", func(w *world.World) *actor.Props { return master.New(w, f.masterOptions(s, as.Master)) })
	f.master.HTTP = f.discord.HTTP
	for i := range s.Fleet.Machines {
		name := machineName(i + 1)
		o := f.controlOptions(name, as.Control)
		m := f.station(name, "masterlink", func(w *world.World) *actor.Props { return actors.New(w, o) })
		m.Program = func(spec proc.Spec) (sim.Program, error) { return f.program(m), nil }
		f.machines = append(f.machines, m)
	}
	return f
}

func (f *fleet) station(name, root string, props func(*world.World) *actor.Props) *station {
	return &station{Host: sim.NewHost(f.loop, f.net, name), root: root, props: props, down: true}
}

func (f *fleet) masterOptions(s Scenario, o master.Options) master.Options {
	o.Listen, o.Authorization, o.Token, o.API = masterURL, secret, token, "https://discord.com"
	o.Shards, o.MaxConcurrency = 0, 0 // Discord decides them
	if s.Fleet.ShardsPerCluster > 0 {
		o.ShardsPerCluster = s.Fleet.ShardsPerCluster
	}
	if s.Fleet.Spares != nil {
		o.Spares = *s.Fleet.Spares
	}
	o.Expect = s.Fleet.Machines
	o.Failed = f.observer.failed
	o.Observe = func(e messages.Event) { f.observer.event(masterPlace, e) }
	return o
}

func (f *fleet) controlOptions(name string, o actors.Options) actors.Options {
	o.Hostname, o.PID = name, 1
	o.Master.URL, o.Master.Authorization, o.Master.Source = masterURL, secret, name
	o.Cluster.Command, o.Cluster.BaseEnv, o.Cluster.ExtraEnv = []string{"bot"}, nil, nil
	o.Cluster.Logs, o.Cluster.TokenByHello = "/log", false
	o.Cluster.Sockets = "/run/" + name + "/"
	if o.Cluster.Protocol == messages.ProtocolDiscordoo {
		o.Cluster.Sockets = "/tmp/ddoo" // the default of a stock Discordoo
	}
	o.Behaviours = []world.Behaviour{{Name: "witness", Actor: func(_ *world.World, h world.Addresses) actor.Actor {
		return witness{house: h, heard: func(e messages.Event) { f.observer.event(name, e) }}
	}}}
	return o
}

// witness gets every event of one CONTROL.
type witness struct {
	house world.Addresses
	heard func(messages.Event)
}

func (w witness) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(w.house.Events, messages.Subscribe{})
	case messages.Event:
		w.heard(m)
	}
}

// program returns what a bot on a machine does.
func (f *fleet) program(m *station) sim.Program {
	return func(p *sim.Proc) {
		f.runsOn[clusterOf(p)] = m
		up := func(shard int, up bool) { f.observer.shard(p, shard, up) }
		switch f.protocol {
		case messages.ProtocolDiscordoo:
			fakecluster.Stock{Discord: f.discord, Up: up, Boot: f.bot.Boot}.Program(p)
		case messages.ProtocolEnv:
			fakecluster.Env{Discord: f.discord, Up: up, Boot: f.bot.Boot}.Program(p)
		default:
			fakecluster.SDK{Discord: f.discord, Up: up, Boot: f.bot.Boot, NoSessions: !f.bot.Sessions}.Program(p)
		}
	}
}

// clusterOf returns the cluster that a process runs.
func clusterOf(p *sim.Proc) messages.ClusterID {
	id, err := strconv.Atoi(p.Env("CLUSTER_ID"))
	if err != nil {
		panic(err) // a bug of CONTROL
	}
	return messages.ClusterID(id)
}

// start starts a run of a station's CONTROL or MASTER.
func (f *fleet) start(s *station) {
	w, prefix := s.Boot()
	pid, err := f.system.Root.SpawnNamed(s.props(w), prefix+s.root)
	if err != nil {
		panic(err) // every run has a name of its own
	}
	s.pid, s.off, s.down = pid, false, false
}

// crash kills the run, and its processes live on. powerOff ends those too, and no connection is
// closed.
func (f *fleet) crash(s *station) {
	s.down = true
	s.Crash()
}

func (f *fleet) powerOff(s *station) {
	f.net.Cut(s.Name, masterPlace)
	s.off, s.down = true, true
	s.PowerOff()
}

// powerOn starts a machine again, with its files and without its processes.
func (f *fleet) powerOn(s *station) {
	f.start(s)
	f.heal(s)
}

// heal restores the connection between MASTER and a machine that has power.
func (f *fleet) heal(s *station) {
	if !s.off {
		f.net.Heal(s.Name, masterPlace)
	}
}

// order sends a machine's CONTROL an operator's order.
func (f *fleet) order(s *station, command any) {
	f.system.Root.Send(actor.NewPID(s.pid.Address, s.pid.Id+"/clusters"), command)
}

// machine returns the machine of a name that exists.
func (f *fleet) machine(name string) *station {
	return f.machines[slices.IndexFunc(f.machines, func(m *station) bool { return m.Name == name })]
}

// processes returns all living processes, on one machine or, with nil, on all.
func (f *fleet) processes(on *station) []*sim.Proc {
	if on != nil {
		return on.Processes()
	}
	var all []*sim.Proc
	for _, m := range f.machines {
		all = append(all, m.Processes()...)
	}
	return all
}

// owner returns a process's name for people.
func owner(p *sim.Proc) string { return fmt.Sprintf("cluster %s of %s", clusterOf(p), p.Host.Name) }
