package cluster

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/proc"
)

// This file is what a Cluster hears of its World, and what of that is dropped because it comes too
// late.

// What a Cluster hears of its World.
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
		link  transport.Link
		frame []byte
		bad   error // why it is no packet at all
	}
	socketEnded struct {
		link transport.Link
		err  error
	}
	redial struct{ ofRun }
)

// These may come after their cluster has stopped; that is no news.
func (socketFrame) IgnoreDeadLetterLogging() {}
func (socketEnded) IgnoreDeadLetterLogging() {}

// ofRun is embedded in what a Cluster hears of one run of its process. It names the run, and the
// actor that was to hear it: another one may have taken its place, and the process.
type ofRun struct {
	by  *Cluster
	run messages.Snowflake
}

func (n ofRun) of() ofRun { return n }

// IgnoreDeadLetterLogging: it may arrive after its cluster has stopped.
func (ofRun) IgnoreDeadLetterLogging() {}

// thisRun names the present run.
func (c *Cluster) thisRun() ofRun { return ofRun{c, c.life.Instance} }

// stale reports whether a message is about another run than the present one.
func (c *Cluster) stale(msg any) bool {
	switch m := msg.(type) {
	case runExited: // the actor that replaced its own one waits for it
		return m.ofRun != c.thisRun() && m.run != c.past.sweeping
	case interface{ of() ofRun }:
		return m.of() != c.thisRun()
	case messages.SessionsOffered:
		return m.Run != c.life.Instance
	}
	return false
}

// Receive drops what is stale, and hands everything else to the state.
func (c *Cluster) Receive(ctx actor.Context) {
	if !c.stale(ctx.Message()) {
		c.States.Receive(ctx)
	}
}
