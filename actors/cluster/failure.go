package cluster

import (
	"errors"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/proc"
)

// Failure is what a Cluster escalates when its run is over unordered. Its process is known dead, or never existed. That it had served travels in it, for a failure
// overtakes every message sent before it.
type Failure struct {
	Cause     messages.Cause
	Err       string
	CloseCode int
	PID       int
	Exit      *proc.Exit    // nil: there never was a process
	Sweeping  bool          // the search for what its process left behind goes on
	Up        time.Duration // since every shard was READY; 0: never
	WaitedFor string        // what a start was waiting for
	Held      held          // what is wrong with this machine; zero: nothing that is known
	Unstarted bool          // there never was a process
	Starved   bool          // this machine was short of CPU time when it was late
}

// held is trouble of this machine that keeps clusters from starting.
type held struct {
	cause string // the same for every cluster and every try of the same trouble
	err   string // as it was met
	cure  string // what a person can do about it
}

// unstarted returns the failure of a start of which no process came.
func unstarted(err error) *Failure {
	f := &Failure{Cause: messages.CauseStartFailed, Err: err.Error()}
	var spec *proc.SpecError
	switch is := errors.As(err, &spec); {
	case errors.Is(err, proc.ErrArgs): // it waits for another configuration
		return f
	case is:
		f.Held.cause = spec.Thing + ": " + spec.Rule
	default:
		f.Held.cause = root(err).Error()
	}
	f.Unstarted, f.Held.err, f.Held.cure = true, err.Error(), proc.Cure(err)
	return f
}

// root returns what is at the bottom of an error: the kernel's own word, without the file that this
// try was about.
func root(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

// starving is the trouble of a machine whose processes get no CPU time.
func starving(err string) held {
	return held{cause: "cpu", err: err, cure: "give the machine fewer shards, or more processors; late processes are given more time meanwhile"}
}

// asPlanned returns the failure as the three-restart rule takes it. outage: Discord's, as this
// machine sees it.
func (f *Failure) asPlanned(outage bool) plan.Failure {
	return plan.Failure{Cause: f.Cause, UpFor: f.Up, Detail: f.Detail(), Unstarted: f.Unstarted, Starved: f.Starved, Outage: outage}
}

func (f *Failure) Error() string { return string(f.Cause) + ": " + f.Err }

// Detail is the failure in one line, for people.
func (f *Failure) Detail() string {
	if f.Exit == nil {
		return f.Error()
	}
	return f.Error() + " (" + f.Exit.String() + ")"
}
