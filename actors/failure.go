package actors

import (
	"time"

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
	Up        time.Duration // since every shard was READY; 0: never
	WaitedFor string        // what a start was waiting for
}

func (f *Failure) Error() string { return string(f.Cause) + ": " + f.Err }

// Detail is the failure in one line, for people.
func (f *Failure) Detail() string {
	if f.Exit == nil {
		return f.Error()
	}
	return f.Error() + " (" + f.Exit.String() + ")"
}
