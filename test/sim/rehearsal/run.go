package rehearsal

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
)

// Run rehearses a scenario of Parse with the operator's settings. Call it in a testing/synctest
// bubble; the same seed gives the same report. It fails when stopped returns true.
func Run(s Scenario, as Settings, stopped func() bool) (*Report, error) {
	r := &run{scenario: s, events: map[string]int{}}
	r.fleet = newFleet(s, as, observer{event: r.event, failed: r.failed, shard: r.shard})
	r.timeline = &timeline{now: r.loop.Now, open: map[string]*Entry{}}
	r.downtime = newDowntime(s.Fleet.Shards, r.loop.Now)
	r.downtime.changed = r.changed
	r.loop.Check = func() error {
		if r.loop.Steps()%stopEvery == 0 && stopped() {
			return errStopped
		}
		return nil
	}
	r.begin()
	err := r.loop.Run(s.Until)
	time.Sleep(settle)
	switch {
	case errors.Is(err, errStopped):
		return nil, errStopped
	case err != nil:
		return nil, err
	}
	return r.report(), nil
}

const (
	// stopEvery is the number of steps between two calls of stopped.
	stopEvery = 1 << 10
	// settle is the time that protoactor's throttle of dead letters needs after the last one.
	settle = 2 * time.Second
)

var errStopped = errors.New("the rehearsal was stopped before its end")

// run is one rehearsal.
type run struct {
	*fleet
	scenario Scenario
	timeline *timeline
	downtime *downtime
	events   map[string]int
	blows    []*blow       // the faults so far, in order
	ready    time.Duration // when every shard was READY at once for the first time; 0: not so far
}

// blow is one fault that was injected.
type blow struct {
	Blow
	reportedBy []string     // events that report it
	shards     map[int]bool // that went down before the next one
}

// begin starts everything and schedules the faults.
func (r *run) begin() {
	r.timeline.say("start", "", "MASTER and %s", amount(len(r.machines), "machine"))
	r.start(r.master)
	for _, m := range r.machines {
		r.start(m)
	}
	for _, f := range r.scenario.Faults {
		for at := f.At; at < r.scenario.Until; at += f.Every {
			r.loop.After(at, func() { r.strike(f) })
			if f.Every == 0 {
				break
			}
		}
	}
}

// strike injects a fault and schedules its end.
func (r *run) strike(f Fault) {
	k, _ := f.kind() // Parse has validated it
	b := &blow{Blow: Blow{AtMS: messages.Millis(r.loop.Now())}, reportedBy: k.reportedBy, shards: map[int]bool{}}
	r.blows = append(r.blows, b) // first, for shards may go down at once
	to, end, err := k.do(r, f)
	what := f.String()
	if to != "" {
		what += ": " + to
	}
	b.What = what
	if err != nil {
		r.blows = r.blows[:len(r.blows)-1]
		r.timeline.say("fault", "", "%s: nothing to do, %v", what, err)
		return
	}
	if f.For > 0 {
		r.timeline.say("fault", "", "%s, for %v", what, f.For)
		r.loop.After(f.For, func() {
			end()
			r.timeline.say("fault.ends", "", "%s", what)
		})
	} else {
		r.timeline.say("fault", "", "%s", what)
	}
}

// event records an event of CONTROL or MASTER.
func (r *run) event(where string, e messages.Event) {
	name, level := e.Event()
	if level == messages.LevelDebug {
		return
	}
	r.events[name]++
	r.timeline.event(where, e)
	for _, b := range r.blows {
		if b.Noticed == nil && slices.Contains(b.reportedBy, name) {
			b.Noticed = &Noticed{Event: name, AfterMS: messages.Millis(r.loop.Now()) - b.AtMS}
		}
	}
}

func (r *run) failed(err error) { r.timeline.say("master.failed", masterPlace, "%v", err) }

func (r *run) shard(p *sim.Proc, shard int, up bool) { r.downtime.moved(p, shard, up) }

// latest returns the last fault and those of the same moment.
func (r *run) latest() []*blow {
	i := len(r.blows)
	for i > 0 && r.blows[i-1].AtMS == r.blows[len(r.blows)-1].AtMS {
		i--
	}
	return r.blows[i:]
}

// changed records a shard that went down or came up, as a consequence of the latest fault. A fault
// is over when every shard is READY; the latest one may have further consequences.
func (r *run) changed(shard int, up bool) {
	switch latest := r.latest(); {
	case !up:
		for _, b := range latest {
			b.shards[shard] = true
		}
	case up && r.downtime.allReady():
		if r.ready == 0 {
			r.ready = r.loop.Now()
		}
		r.timeline.alike("ready", "", "every shard is READY", true)
		for _, b := range r.blows {
			if len(b.shards) > 0 && (b.ReadyAfterMS == nil || slices.Contains(latest, b)) {
				b.ReadyAfterMS = new(messages.Millis(r.loop.Now()) - b.AtMS)
			}
		}
	}
}

// report sums up.
func (r *run) report() *Report {
	s, score := r.scenario, r.discord.Rules.Score()
	out := &Report{
		Name: s.Name, Seed: s.Seed, UntilMS: messages.Millis(s.Until), Machines: s.Fleet.Machines, Shards: s.Fleet.Shards, MaxConcurrency: s.Fleet.MaxConcurrency,
		FloorMS: messages.Millis(r.rules.Floor(s.Fleet.Shards)), DownAtEnd: s.Fleet.Shards - r.downtime.began + r.downtime.down, Downtime: r.downtime.report(),
		Identifies: Identifies{Spent: score.Identifies, Total: r.rules.IdentifyTotal, Remaining: score.Remaining, TokenResets: score.TokenResets},
		Resumes:    score.Resumes, ResumesRefused: score.ResumesRefused, Violations: score.Violations, Duplicates: score.Duplicates,
		Events: r.events, Faults: []Blow{}, Timeline: r.timeline.entries,
	}
	if r.ready > 0 {
		out.ReadyMS = new(messages.Millis(r.ready))
	}
	if first, was := score.FirstIdentify(); was {
		out.FirstIdentifyMS = new(messages.Millis(first.Sub(score.Start)))
	}
	for _, b := range r.blows {
		b.Shards = len(b.shards)
		out.Faults = append(out.Faults, b.Blow)
	}
	out.Missed = s.Expect.missed(out)
	return out
}

// amount returns a count as text: "1 machine", "2 machines".
func amount(n int, thing string) string {
	return fmt.Sprintf("%s %s%s", grouped(n), thing, map[bool]string{true: "", false: "s"}[n == 1])
}

// grouped returns a number as text: 10,000.
func grouped(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", grouped(n/1000), n%1000)
}
