package scenarios

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport"
)

// What must always hold (DESIGN §8). check runs after every step; the others where the only thing
// happens that could break them.
//
//	I1  no two identifies of a bucket within 5 s           check
//	I2  no shard with two live owners                      check
//	I3  a crash leaves the reserve of the day's budget      check
//	I4  a spare runs nothing                               started
//	I5  one process a cluster, on record before it starts, none left after a stop: started, nothingLeft
//	I6  restarts by the rule, giving up reported once      witness
//	I7  the token is nowhere                               logged, tap, secretEvents
//	I8  one link to MASTER at most                         linked
//	I9  events behind gateway hosts: none lost, in order   gateways.judge
//	and no message is lost or unexpected                   logged, watchLetters

// check returns a violation of Discord's limits.
func (f *fleet) check() error {
	for _, m := range f.machines {
		f.diskFailed = f.diskFailed || m.DiskErr != nil
	}
	if f.mixed {
		f.parts()
	}
	if f.discord == nil {
		return nil
	}
	c := f.discord.Rules.Counts()
	if c.Violations > 0 {
		return fmt.Errorf("I1: %+v", f.discord.Rules.Score().ViolationLog)
	}
	if c.TokenResets > 0 {
		return fmt.Errorf("I3: Discord reset the token: more identifies than a day has: %+v", c)
	}
	if c.Remaining+f.others < f.reserve {
		return fmt.Errorf("I3: %d identifies are left, the reserve is %d, and %d were no crash's", c.Remaining, f.reserve, f.others)
	}
	if c.DuplicatesOpen > 0 && !f.doubles {
		return f.doubled()
	}
	return nil
}

// doubled finds a shard with two live owners. A process that died is no owner, even before Discord
// notices that its connection is gone.
func (f *fleet) doubled() error {
	for _, d := range f.discord.Rules.Score().DuplicateLog {
		if d.To.IsZero() && f.discord.Live(d.Conns[0]) && f.discord.Live(d.Conns[1]) {
			return fmt.Errorf("I2: a shard has two owners: %+v", d)
		}
	}
	return nil
}

// started checks a process that starts.
func (f *fleet) started(m *machine, p *sim.Proc) {
	if m.spare {
		f.loop.Fail(fmt.Errorf("I4: the spare %s runs a process", m.Name))
	}
	if id, err := strconv.Atoi(p.Env("CLUSTER_ID")); err == nil {
		m.tried[messages.ClusterID(id)]++
	}
	f.notes(m, p)
	id, instance := p.Env("CLUSTER_ID"), p.Env("SHARDING_INSTANCE_IPC")
	if !f.diskFailed && !strings.Contains(m.File("cluster-"+id+".json")+m.File("successor-"+id+".json"), instance) {
		f.loop.Fail(fmt.Errorf("I5: cluster %s of %s starts before its intent is on disk", id, m.Name))
	}
	// another CONTROL, on this machine or beside it, may make an id in the same millisecond
	if parts, err := messages.Snowflake(instance).Parts(); err != nil || parts.Worker != controlPID {
		f.loop.Fail(fmt.Errorf("I5: the run %s of cluster %s of %s could be another CONTROL's: its worker is %d (%v), want the pid %d", instance, id, m.Name, parts.Worker, err, controlPID))
	}
	for _, other := range f.inOrder() {
		for _, o := range other.Processes() {
			if o != p && o.Parent() != p && !isBehind(o) && (other == m || !o.Forked()) && !f.succeeds && !f.doubles && o.Env("CLUSTER_ID") == p.Env("CLUSTER_ID") {
				f.loop.Fail(fmt.Errorf("I5: cluster %s runs twice: pid %d of %s, pid %d of %s", p.Env("CLUSTER_ID"), o.PID(), other.Name, p.PID(), m.Name))
			}
		}
	}
}

// nothingLeft checks that no process is alive after an ordered stop.
func (f *fleet) nothingLeft() {
	f.t.Helper()
	for _, m := range f.inOrder() {
		if left := m.Processes(); len(left) > 0 {
			f.t.Fatalf("I5: %s has %d processes left after an ordered stop\n%s", m.Name, len(left), f.log)
		}
	}
}

// witness is a behaviour that remembers every event, and checks the restarts against the rule.
type witness struct {
	f         *fleet
	machine   *machine
	addresses world.Addresses
}

func (w *witness) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(w.addresses.Events, messages.Subscribe{})
	case messages.Event:
		w.f.events = append(w.f.events, heard{w.f.loop.Now(), w.machine.Name, m})
		if err := w.judge(m); err != nil {
			w.f.loop.Fail(fmt.Errorf("I6: %w", err))
		}
	}
}

func (w *witness) judge(e messages.Event) error {
	gaveUp := w.machine.gaveUp
	switch e := e.(type) {
	case messages.ClusterReady:
		delete(gaveUp, e.Cluster)
		if !e.Assumed { // else its start may still fail
			w.machine.tried[e.Cluster] = 0
		}
	case messages.ClusterMoved:
		if e.State == messages.ClusterGone { // to another machine: the next start here is MASTER's order
			delete(w.machine.latest, e.Cluster.String())
		}
	case messages.ClusterDied:
		wait := e.RetryInMS.Duration()
		least, most := time.Duration(0), 72*time.Second // a minute + 20 % after a short service
		if e.Attempt > 0 {
			least, most = 800*time.Millisecond<<(e.Attempt-1), 1200*time.Millisecond<<(e.Attempt-1)
		}
		if e.Attempt > plan.MaxRestarts || wait < least || wait > most {
			return fmt.Errorf("cluster %s is restarted after attempt %d, in %v", e.Cluster, e.Attempt, wait)
		}
	case messages.ClusterGaveUp:
		if gaveUp[e.Cluster] || e.Attempts != plan.MaxRestarts+1 || len(e.Causes) != e.Attempts {
			return fmt.Errorf("cluster %s gave up after %d attempts, causes %q; reported before: %v", e.Cluster, e.Attempts, e.Causes, gaveUp[e.Cluster])
		}
		if n := w.machine.tried[e.Cluster]; n <= plan.MaxRestarts {
			return fmt.Errorf("cluster %s was given up after %d processes: want one and %d restarts of it", e.Cluster, n, plan.MaxRestarts)
		}
		gaveUp[e.Cluster] = true
		w.machine.tried[e.Cluster] = 0
	}
	return nil
}

// logged checks a line of a machine's log.
func (f *fleet) logged(machine, line string) {
	fmt.Fprintf(f.log, "%12v %s %s", f.loop.Now(), machine, line)
	if strings.Contains(line, "unexpected message") || !f.panics && strings.Contains(line, "panic") {
		f.loop.Fail(errors.New(line))
	}
	if leaks(line) && (!f.leaky || machine == "master") {
		f.loop.Fail(errors.New("I7: the token is in the log: " + line))
	}
}

// leaks reports whether a text holds the token, however it is written.
func leaks(text string) bool {
	return strings.Contains(disguises.Replace(text), token.Reveal())
}

// disguises undoes what bots and JSON do to the token. A line break may be escaped twice: in JSON
// that is a text of JSON.
var disguises = strings.NewReplacer("\n", "", `\n`, "", `\\n`, "", `\\u002e`, ".", `\u002e`, ".")

// tap is MASTER's end of a link, where the token must never come back.
type tap struct {
	transport.Link
	f *fleet
}

func (t tap) Receive(frame func([]byte), closed func(error)) {
	t.Link.Receive(func(b []byte) {
		t.f.packets++
		if leaks(string(b)) {
			t.f.loop.Fail(errors.New("I7: the token is in a packet to MASTER"))
		}
		frame(b)
	}, closed)
}

// secretEvents looks for the token in every event, except transitions, which hold no free text.
func (f *fleet) secretEvents() {
	f.t.Helper()
	for _, h := range f.events {
		if _, level := h.event.Event(); level == messages.LevelDebug {
			continue
		}
		if text, err := json.Marshal(h.event); err != nil || !f.leaky && leaks(string(text)) {
			f.t.Fatalf("I7: the token is in an event, or %v", err)
		}
	}
	for _, m := range f.inOrder() {
		for _, hook := range m.Hooks {
			if leaks(hook.Input) {
				f.t.Fatal("I7: the token is in what a hook gets")
			}
		}
	}
}

// linked checks a new link of a machine to MASTER.
func (f *fleet) linked(g transport.Greeting) {
	if n := f.net.Links(g.Remote, "master"); n > 1 {
		f.loop.Fail(fmt.Errorf("I8: %s has %d links to MASTER", g.Remote, n))
	}
}

// watchLetters treats a message of this run without a receiver as a failure, unless its type
// declares that possible. stop ends it.
func (f *fleet) watchLetters() (stop func()) {
	subscription := f.system.EventStream.Subscribe(func(e any) {
		letter, dead := e.(*actor.DeadLetterEvent)
		if !dead || letter.PID == nil || !strings.HasPrefix(letter.PID.Id, f.loop.Prefix) {
			return
		}
		switch letter.Message.(type) {
		case actor.IgnoreDeadLetterLogging, actor.SystemMessage, actor.AutoReceiveMessage:
		default:
			f.loop.Fail(fmt.Errorf("dead letter: %T to %s", letter.Message, letter.PID.Id))
		}
	})
	return func() { f.system.EventStream.Unsubscribe(subscription) }
}
