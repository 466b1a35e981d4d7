package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/cmd/logbook"
	"github.com/discluster/control/messages"
)

// view shows the clusters of a demo: live on a terminal, else line by line. It gets their events as
// any behaviour does.
type view struct {
	out    io.Writer
	live   bool
	shards int           // of the whole bot
	ready  chan struct{} // closed when all shards were READY at once

	processes processes

	mu        sync.Mutex
	rows      map[rowKey]*row
	lastReady int  // READY shards shown last
	drawn     int  // lines of the live block
	frozen    bool // the live block is no longer drawn
	all       bool // every shard is READY
	machines  []machineActors
	rolled    chan messages.RollingRestartMoved
	changed   chan struct{}
}

type rowKey struct {
	machine string
	cluster messages.ClusterID
}

// row is one cluster.
type row struct {
	messages.ClusterMoved
	machine string
	since   time.Time // beginning of its state
	states  map[int]messages.ShardState
}

func newView(out io.Writer, shards int) *view {
	return &view{out: out, live: logbook.IsTerminal(out), shards: shards, ready: make(chan struct{}), rows: map[rowKey]*row{}, rolled: make(chan messages.RollingRestartMoved, 100), changed: make(chan struct{})}
}

// behaviour returns the actor that passes one machine's events to the view.
func (v *view) behaviour(machine string) world.Behaviour {
	return world.Behaviour{Name: "view", Actor: func(_ *world.World, h world.Addresses) actor.Actor {
		return &viewer{view: v, machine: machine, addresses: h}
	}}
}

type viewer struct {
	view      *view
	machine   string
	addresses world.Addresses
}

func (a *viewer) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(a.addresses.Events, messages.Subscribe{})
		a.view.addMachine(machineActors{ctx.ActorSystem(), a.addresses})
	case messages.Event:
		a.view.observe(a.machine, m)
	}
}

func (v *view) observe(machine string, e messages.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e := e.(type) {
	case messages.ClusterMoved:
		r := v.row(machine, e.Cluster)
		if r.State != e.State {
			r.since = time.Now()
		}
		if e.PID != r.PID {
			clear(r.states)
			if e.PID != 0 {
				v.processes.add(e.PID)
			}
		}
		r.ClusterMoved = e
		v.progress()
	case messages.ShardMoved:
		v.row(machine, e.Cluster).states[e.Shard] = e.State
		v.draw()
	case messages.RollingRestartMoved:
		if e.State != "started" {
			v.rolled <- e
		}
	case messages.ClusterReady:
		ready := "READY"
		if e.Assumed {
			ready = "assumed ready"
		}
		v.line("cluster %d on %s: %s %s after %.2f s", e.Cluster, machine, e.Shards, ready, e.TookMS.Duration().Seconds())
	case messages.ClusterDied:
		v.line("cluster %d on %s died: %s %s; again in %v", e.Cluster, machine, e.Cause, e.Exit, e.RetryInMS.Duration())
	case messages.BotDied:
		v.line("bot of cluster %d on %s died: %s; again in %v", e.Cluster, machine, e.Err, e.RetryInMS.Duration())
	case messages.BotSilent:
		v.line("bot of cluster %d on %s: %s; %s", e.Cluster, machine, e.Err, e.Cure)
	case messages.ShardDeaf:
		if e.On {
			v.line("shard %d on %s is deaf: no event for %v while others get some", e.Shard, machine, e.SilentMS.Duration())
		} else {
			v.line("shard %d on %s gets events again", e.Shard, machine)
		}
	case messages.ShardLagging:
		if e.On {
			v.line("bot of shard %d on %s lags: %d events wait, the oldest for %v", e.Shard, machine, e.Waiting, e.WaitingMS.Duration())
		} else {
			v.line("bot of shard %d on %s lags no more", e.Shard, machine)
		}
	case messages.GatewayTrouble:
		v.trouble(machine, e)
	case messages.ClusterHeld:
		if e.On {
			v.line("cluster %d on %s cannot be started: %s; %s", e.Cluster, machine, e.Err, e.Cure)
		} else {
			v.line("cluster %d on %s can be started again", e.Cluster, machine)
		}
	case messages.ClusterGaveUp:
		v.line("cluster %d on %s gave up: %s", e.Cluster, machine, strings.Join(e.Causes, "; "))
	case messages.ClusterFatal:
		v.line("cluster %d on %s: fatal %d: %s", e.Cluster, machine, e.CloseCode, e.Err)
	}
}

// trouble writes a line about a gateway host and its bot.
func (v *view) trouble(machine string, e messages.GatewayTrouble) {
	of := fmt.Sprintf("cluster %d", e.Cluster)
	if e.Shard != nil {
		of = fmt.Sprintf("shard %d", *e.Shard)
	}
	name, _ := e.Event()
	if e.Over {
		v.line("%s on %s: %s is over", of, machine, name)
		return
	}
	v.line("%s on %s: %s; %s", of, machine, e.Err, e.Cure)
}

func (v *view) row(machine string, id messages.ClusterID) *row {
	key := rowKey{machine, id}
	if v.rows[key] == nil {
		v.rows[key] = &row{machine: machine, states: map[int]messages.ShardState{}}
	}
	return v.rows[key]
}

// progress counts the READY shards and shows them. mu is held.
func (v *view) progress() {
	ready := 0
	for _, r := range v.rows {
		ready += r.Ready
	}
	was := v.all
	v.all = ready == v.shards
	if v.all && !was && v.frozen {
		v.line("all %d shards are READY again", v.shards)
	}
	if v.all {
		select {
		case <-v.ready:
		default:
			close(v.ready)
		}
	}
	close(v.changed)
	v.changed = make(chan struct{})
	if !v.live && ready != v.lastReady && !v.frozen && (ready%8 == 0 || v.all) {
		fmt.Fprintf(v.out, "%d of %d shards READY\n", ready, v.shards)
	}
	v.lastReady = ready
	v.draw()
}

// draw paints the live block over the previous one. mu is held.
func (v *view) draw() {
	if !v.live || v.frozen {
		return
	}
	var b strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", v.drawn)
	}
	rows := v.sorted()
	for _, r := range rows {
		fmt.Fprintf(&b, "\x1b[K%-4s cluster %-3d %-10s %s\n", r.machine, r.Cluster, r.State, r.tiles())
	}
	fmt.Fprintf(&b, "\x1b[K%d of %d shards READY\n", v.lastReady, v.shards)
	v.drawn = len(rows) + 1
	fmt.Fprint(v.out, b.String())
}

// tiles returns one character for each shard.
func (r *row) tiles() string {
	var b strings.Builder
	for _, s := range r.Range.Shards() {
		switch r.states[s] {
		case messages.ShardReady:
			b.WriteByte('#')
		case messages.ShardIdentifying, messages.ShardResuming:
			b.WriteByte('+')
		case messages.ShardDisconnected, messages.ShardFailed:
			b.WriteByte('!')
		default:
			b.WriteByte('.')
		}
	}
	return b.String()
}

// line prints a line, unless the live block shows it. mu is held.
func (v *view) line(format string, args ...any) {
	if v.live && !v.frozen {
		return
	}
	fmt.Fprintf(v.out, format+"\n", args...)
}

// say is line for callers that do not hold mu.
func (v *view) say(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.line(format, args...)
}

// done ends the live block; lines follow.
func (v *view) done() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.frozen = true
}

// table prints every cluster.
func (v *view) table() {
	v.mu.Lock()
	defer v.mu.Unlock()
	t := tabwriter.NewWriter(v.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nMACHINE\tCLUSTER\tSHARDS\tSTATE\tREADY\tPID\tRESTARTS\t")
	for _, r := range v.sorted() {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%d/%d\t%d\t%d\t\n", r.machine, r.Cluster, r.Shards, r.State, r.Ready, r.Range.Len(), r.PID, r.Restarts)
	}
	t.Flush()
}

func (v *view) sorted() []*row {
	var all []*row
	for _, r := range v.rows {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *row) int {
		return cmp.Or(cmp.Compare(a.machine, b.machine), cmp.Compare(a.Cluster, b.Cluster))
	})
	return all
}

// pids returns the running processes.
func (v *view) pids() []int {
	v.mu.Lock()
	defer v.mu.Unlock()
	var all []int
	for _, r := range v.sorted() {
		if r.PID != 0 {
			all = append(all, r.PID)
		}
	}
	return all
}

// machineActors holds one machine's actors.
type machineActors struct {
	system    *actor.ActorSystem
	addresses world.Addresses
}

func (v *view) addMachine(h machineActors) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.machines = append(v.machines, h)
}

// roll restarts every cluster of every machine, one at a time, and waits until each serves again.
func (v *view) roll(ctx context.Context) error {
	v.say("rolling restart: every cluster gets a new process, one at a time")
	v.mu.Lock()
	machines := v.machines
	v.mu.Unlock()
	for _, h := range machines {
		h.system.Root.Send(h.addresses.Clusters, messages.RollingRestart{})
		select {
		case e := <-v.rolled:
			if e.State != "done" {
				return fmt.Errorf("rolling restart stopped at cluster %d: %s", *e.Cluster, e.Err)
			}
		case <-ctx.Done():
			return errors.New("rolling restart: not done in time")
		}
	}
	if !v.awaitAll(ctx) {
		return errors.New("rolling restart: not every shard came back")
	}
	return nil
}

// awaitAll waits until every shard is READY. It returns false if ctx ends before.
func (v *view) awaitAll(ctx context.Context) bool {
	for {
		v.mu.Lock()
		all, changed := v.all, v.changed
		v.mu.Unlock()
		if all {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}
