package rehearsal

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
)

// kind is one kind of fault.
type kind struct {
	verb, object string
	hits         hit
	lasts        lasting
	// reportedBy are the events that report it; the first one counts.
	reportedBy []string
	// do injects the fault. It returns what was hit and the function that ends the fault, nil for
	// nothing. An error is the reason for which there was nothing to hit.
	do func(r *run, f Fault) (to string, end func(), err error)
}

// hit is the object of a fault.
type hit string

const (
	aMachine hit = "machine"
	aCluster hit = "cluster"
	nothing  hit = "" // without a name
)

// lasting defines whether a fault has an end.
type lasting int

const (
	never lasting = iota
	sometimes
	always
)

// kinds holds every fault. A new one is a new row.
var kinds = []kind{
	{"kill", "machine", aMachine, sometimes, []string{"machine.lost", "machine.left"}, (*run).killMachine},
	{"kill", "cluster", aCluster, never, []string{"cluster.died"}, (*run).killCluster},
	{"kill", "control", aMachine, sometimes, []string{"machine.lost", "machine.left"}, (*run).killControl},
	{"kill", "master", nothing, sometimes, []string{"master.lost"}, (*run).killMaster},
	{"freeze", "cluster", aCluster, sometimes, []string{"cluster.died"}, (*run).freezeCluster},
	{"freeze", "control", aMachine, always, []string{"machine.lost", "machine.left", "control.stalled"}, (*run).freezeControl},
	{"freeze", "master", nothing, always, []string{"master.lost"}, (*run).freezeMaster},
	{"cut", "", nothing, sometimes, []string{"master.lost", "machine.lost"}, (*run).cut},
	{"discord", "outage", nothing, always, []string{"discord.outage"}, (*run).outage},
	{"discord", "reconnect", nothing, never, nil, (*run).atDiscord},
	{"discord", "invalidate", nothing, never, nil, (*run).atDiscord},
	{"discord", "close", nothing, never, nil, (*run).atDiscord},
	{"order", "rolling_restart", aMachine, never, []string{"rolling_restart.moved"}, (*run).orderMachine},
	{"order", messages.OrderRestart, aCluster, never, nil, (*run).orderCluster},
	{"order", messages.OrderDrain, aCluster, never, []string{"cluster.stopped"}, (*run).orderCluster},
	{"order", messages.OrderStop, aCluster, never, []string{"cluster.stopped"}, (*run).orderCluster},
}

// verb returns the one key of the fault that is set, object its value.
func (f Fault) verb() string {
	switch {
	case f.Kill != "":
		return "kill"
	case f.Freeze != "":
		return "freeze"
	case f.Cut != nil:
		return "cut"
	case f.Discord != "":
		return "discord"
	default:
		return "order"
	}
}

// One of them is set.
func (f Fault) object() string { return f.Kill + f.Freeze + f.Discord + f.Order }

func (f Fault) String() string {
	if f.Cut != nil {
		return "cut [" + strings.Join(f.Cut, ", ") + "]"
	}
	return f.verb() + " " + f.object()
}

// kind returns the fault's row of the table.
func (f Fault) kind() (*kind, bool) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.verb == f.verb() && k.object == f.object() })
	if i < 0 {
		return nil, false
	}
	return &kinds[i], true
}

// objects lists the values of a verb.
func objects(verb string) (all []string) {
	for _, k := range kinds {
		if k.verb == verb {
			all = append(all, k.object)
		}
	}
	return all
}

// target returns the machine that is named, or a random one that fits.
func (r *run) target(f Fault, fits func(*station) bool) (*station, error) {
	if f.Which != "" {
		if m := r.machine(f.Which); fits(m) {
			return m, nil
		}
		return nil, fmt.Errorf("%s is down", f.Which)
	}
	all := slices.DeleteFunc(slices.Clone(r.machines), func(m *station) bool { return !fits(m) })
	if len(all) == 0 {
		return nil, fmt.Errorf("every machine is down")
	}
	return all[r.loop.Rand.IntN(len(all))], nil
}

// process returns the process of the cluster that is named, or a random one that fits.
func (r *run) process(f Fault) (*sim.Proc, error) {
	all, of := r.processes(nil), "nothing runs"
	if id, err := strconv.Atoi(f.Which); err == nil {
		all, of = slices.DeleteFunc(all, func(p *sim.Proc) bool { return clusterOf(p) != messages.ClusterID(id) }), "cluster "+f.Which+" does not run"
	} else if f.Which != "" {
		all, of = r.processes(r.machine(f.Which)), "nothing runs on "+f.Which
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s", of)
	}
	return all[r.loop.Rand.IntN(len(all))], nil
}

func powered(m *station) bool { return !m.off }
func runs(m *station) bool    { return !m.down }

func (r *run) killMachine(f Fault) (string, func(), error) {
	m, err := r.target(f, powered)
	if err != nil {
		return "", nil, err
	}
	r.powerOff(m)
	return m.Name, func() { r.powerOn(m) }, nil
}

func (r *run) killCluster(f Fault) (string, func(), error) {
	p, err := r.process(f)
	if err != nil {
		return "", nil, err
	}
	p.Signal(syscall.SIGKILL)
	return owner(p), nil, nil
}

func (r *run) killControl(f Fault) (string, func(), error) {
	m, err := r.target(f, runs)
	if err != nil {
		return "", nil, err
	}
	r.crash(m)
	return m.Name, func() {
		if m.down && !m.off {
			r.start(m)
		}
	}, nil
}

func (r *run) killMaster(Fault) (string, func(), error) {
	if r.master.down {
		return "", nil, fmt.Errorf("it is down")
	}
	r.crash(r.master)
	return "", func() { r.start(r.master) }, nil
}

func (r *run) freezeCluster(f Fault) (string, func(), error) {
	p, err := r.process(f)
	if err != nil {
		return "", nil, err
	}
	p.Signal(syscall.SIGSTOP)
	r.downtime.hangs(p, true)
	return owner(p), func() {
		p.Signal(syscall.SIGCONT)
		r.downtime.hangs(p, false)
	}, nil
}

func (r *run) freezeControl(f Fault) (string, func(), error) {
	m, err := r.target(f, runs)
	if err != nil {
		return "", nil, err
	}
	m.Freeze(f.For)
	r.net.Cut(m.Name, masterPlace) // pings stay unanswered
	return m.Name, func() { r.heal(m) }, nil
}

func (r *run) freezeMaster(f Fault) (string, func(), error) {
	if r.master.down {
		return "", nil, fmt.Errorf("it is down")
	}
	r.master.Freeze(f.For)
	for _, m := range r.machines {
		r.net.Cut(m.Name, masterPlace)
	}
	return "", func() {
		for _, m := range r.machines {
			r.heal(m)
		}
	}, nil
}

func (r *run) cut(f Fault) (string, func(), error) {
	r.net.Cut(f.Cut[0], f.Cut[1])
	return "", func() { r.net.Heal(f.Cut[0], f.Cut[1]) }, nil
}

func (r *run) outage(Fault) (string, func(), error) {
	r.discord.Step(rules.Fault{Kind: rules.FaultOutageOn, Shard: rules.All})
	r.discord.Step(rules.Fault{Kind: rules.FaultClose, Shard: rules.All, Code: rules.CloseVanished})
	return "", func() { r.discord.Step(rules.Fault{Kind: rules.FaultOutageOff, Shard: rules.All}) }, nil
}

// atDiscord injects a fault of the simulated Discord.
func (r *run) atDiscord(f Fault) (string, func(), error) {
	fault, to := rules.Fault{Kind: rules.FaultKind(f.Discord), Shard: rules.All}, ""
	if f.Shard != nil {
		fault.Shard, to = *f.Shard, fmt.Sprintf("shard %d", *f.Shard)
	}
	if f.Discord == "close" {
		fault.Code = rules.CloseUnknown
		if f.Code > 0 {
			fault.Code = f.Code
		}
	}
	r.discord.Step(fault)
	return to, nil, nil
}

func (r *run) orderMachine(f Fault) (string, func(), error) {
	m, err := r.target(f, runs)
	if err == nil {
		r.order(m, messages.RollingRestart{})
	}
	return f.Which, nil, err
}

func (r *run) orderCluster(f Fault) (string, func(), error) {
	n, _ := strconv.Atoi(f.Which)
	id := messages.ClusterID(n)
	m := r.runsOn[id]
	if m == nil || m.down {
		return "", nil, fmt.Errorf("no CONTROL that runs has cluster %d", n)
	}
	r.order(m, map[string]any{messages.OrderRestart: messages.RestartCluster{Cluster: id}, messages.OrderDrain: messages.DrainCluster{Cluster: id}, messages.OrderStop: messages.StopCluster{Cluster: id}}[f.Order])
	return fmt.Sprintf("cluster %d of %s", n, m.Name), nil, nil
}
