package cluster

import (
	"errors"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/proc"
)

// Failure is the reason that a Cluster escalates when its run ended without an order. Its process
// is known dead, or never existed. Up is part of it because a failure overtakes every message sent
// before.
type Failure struct {
	Cause     messages.Cause
	Err       string
	CloseCode int
	PID       int
	Exit      *proc.Exit    // nil: no process was started
	Left      bool          // processes that it left may live
	Up        time.Duration // time since every shard was READY; 0: never
	WaitedFor string        // what a start was waiting for
	Trouble   trouble       // the trouble of this machine; zero: none known
	Unstarted bool          // no process was started
	Starved   bool          // this machine was short of CPU time at the missed deadline
}

// trouble is a condition of this machine that keeps clusters from starting.
type trouble struct {
	cause string // identifies the trouble: the same for every cluster and try
	err   string // the error of this try
	cure  string // what a person can do about it
}

// unstarted returns the failure of a start that made no process.
func unstarted(err error) *Failure {
	f := &Failure{Cause: messages.CauseStartFailed, Err: err.Error()}
	var spec *proc.SpecError
	switch is := errors.As(err, &spec); {
	case errors.Is(err, proc.ErrArgs): // only another configuration helps
		return f
	case is:
		f.Trouble.cause = spec.Thing + ": " + spec.Rule
	default:
		f.Trouble.cause = root(err).Error()
	}
	f.Unstarted, f.Trouble.err, f.Trouble.cure = true, err.Error(), proc.Cure(err)
	return f
}

// root returns the innermost error: the kernel's error, without the file of this try.
func root(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

// starving returns the trouble of a machine whose processes get no CPU time.
func starving(err string) trouble {
	return trouble{cause: "cpu", err: err, cure: "give the machine fewer shards, or more processors; until then late processes get more time"}
}

// asPlanned returns the failure as plan.Restart takes it. outage: this machine sees an outage of
// Discord.
func (f *Failure) asPlanned(outage bool) plan.Failure {
	return plan.Failure{Cause: f.Cause, UpFor: f.Up, Detail: f.Detail(), Unstarted: f.Unstarted, Starved: f.Starved, Outage: outage}
}

func (f *Failure) Error() string { return string(f.Cause) + ": " + f.Err }

// Detail returns the failure in one line, for people.
func (f *Failure) Detail() string {
	if f.Exit == nil {
		return f.Error()
	}
	return f.Error() + " (" + f.Exit.String() + ")"
}
