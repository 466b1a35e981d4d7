package cluster

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/proc"
)

// This file has the messages of the World to a Cluster. Stale ones are dropped.

type (
	runStarted struct {
		ofRun
		process proc.Process
		err     error
	}
	runDied struct { // runExited follows once it is known what was left behind
		ofRun
		exit proc.Exit
	}
	runExited struct {
		ofRun
		exit proc.Exit
	}
	socketOpened struct {
		ofRun
		link transport.Link
		err  error
	}
	socketFrame struct {
		messages.MayBeLost
		link  transport.Link
		frame []byte
		bad   error // why it is not a packet
	}
	socketEnded struct {
		messages.MayBeLost
		link transport.Link
		err  error
	}
	redial struct{ ofRun }
)

// ofRun is embedded in messages about one run of a process. It names the run and the actor that the
// message is for: another actor may have replaced it and taken over the process.
type ofRun struct {
	messages.MayBeLost
	by  *Cluster
	run messages.Snowflake
}

func (n ofRun) of() ofRun { return n }

// thisRun returns the name of the present run.
func (c *Cluster) thisRun() ofRun { return ofRun{by: c, run: c.run.Instance} }

// stale reports whether a message is about another run than the present one.
func (c *Cluster) stale(msg any) bool {
	switch m := msg.(type) {
	case runExited: // the actor that replaced its own one waits for it
		return m.ofRun != c.thisRun() && m.run != c.handover.sweeping
	case interface{ of() ofRun }:
		return m.of() != c.thisRun()
	case messages.SessionsOffered:
		return m.Run != c.run.Instance
	}
	return false
}

// Receive drops stale messages and passes all others to the state.
func (c *Cluster) Receive(ctx actor.Context) {
	if !c.stale(ctx.Message()) {
		c.States.Receive(ctx)
	}
}
