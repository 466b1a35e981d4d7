package cmd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/botlog"
)

// keepEvery is how often the bots' output is looked at: the longest that a file may grow beyond its limit.
const keepEvery = time.Second

// logKeeper is the behaviour that keeps the output of the bots within its limits.
func logKeeper(dir string, limits botlog.Limits) actors.Behaviour {
	return actors.Behaviour{Name: "logkeeper", Actor: func(w *world.World, h actors.House) actor.Actor {
		return &keeper{w: w, house: h, files: &botlog.Keeper{Dir: dir, Limits: limits}, writers: map[messages.ClusterID]int{}, astray: map[botlog.Writer]string{}}
	}}
}

// keeper has one pass at a time under way: the next begins a while after its answer.
type keeper struct {
	w       *world.World
	house   actors.House
	files   *botlog.Keeper
	writers map[messages.ClusterID]int // the pids of the bots
	astray  map[botlog.Writer]string   // whose files were removed or renamed, as the last pass found
	said    string                     // the last reason said
	cancel  func()
}

// What it tells itself.
type (
	passDue struct{}
	passed  struct {
		astray map[botlog.Writer]string
		err    error
	}
)

// IgnoreDeadLetterLogging marks a pass that outlived its actor as nothing to report.
func (passDue) IgnoreDeadLetterLogging() {}
func (passed) IgnoreDeadLetterLogging()  {}

// Receive is its only state.
func (k *keeper) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(k.house.Herald, messages.Subscribe{})
		k.next(ctx)
	case world.Recovered:
		k.next(ctx)
	case messages.ClusterMoved:
		k.writers[m.Cluster] = m.PID
		if m.PID == 0 {
			delete(k.writers, m.Cluster)
		}
	case passDue:
		send := world.Sender(ctx)
		writers := make([]botlog.Writer, 0, len(k.writers))
		for id, pid := range k.writers {
			writers = append(writers, botlog.Writer{Cluster: id, PID: pid})
		}
		go func() {
			astray, err := k.files.Pass(writers)
			send(passed{astray, err})
		}()
	case passed:
		for w, file := range m.astray {
			if k.astray[w] != file {
				ctx.Send(k.house.Herald, messages.LogsMoved{Cluster: w.Cluster, PID: w.PID, File: file})
			}
		}
		k.astray = m.astray
		if m.err != nil && m.err.Error() != k.said {
			k.said = m.err.Error()
			ctx.Send(k.house.Herald, messages.LogsUnkept{Err: oneLine(m.err)})
		}
		k.next(ctx)
	case *actor.Stopping:
		k.cancel()
	}
}

// next has a pass made in a while.
func (k *keeper) next(ctx actor.Context) {
	if k.cancel != nil {
		k.cancel()
	}
	send := world.Sender(ctx)
	k.cancel = k.w.After(keepEvery, func() { send(passDue{}) })
}

// followEvery is how often a file that is followed is looked at.
const followEvery = 200 * time.Millisecond

// follow shows what the bots write, until ctx ends. failed is told why something of it cannot be read, when the reason changes.
func follow(ctx context.Context, w *botlog.Follower, shown func() error, failed func(error)) error {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	said := ""
	for {
		last := ctx.Err() != nil
		more, err := w.Round()
		if err != nil && err.Error() != said {
			said = err.Error()
			failed(err)
		}
		if last {
			w.Close()
		}
		if err := shown(); err != nil || last {
			return err
		}
		if more {
			continue
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// showOutput shows what the bots write from now on beside the daemon's own log, for a person before
// a terminal. stop waits until the last of it is shown, or the terminal takes nothing.
func (d *daemon) showOutput(dir string) (stop func(), err error) {
	out := bufio.NewWriter(os.Stderr)
	w := &botlog.Follower{Dir: dir, Say: func(l botlog.Line) { writeLine(out, l) }}
	if err := w.Begin(0); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = follow(ctx, w, out.Flush, func(err error) { d.log.Warn().Err(err).Msg("output of the bots cannot be shown") }) // where a terminal is gone nobody is there to tell
	}()
	return func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(logFlush):
		}
	}, nil
}

// writeLine writes a line behind the name of its cluster.
func writeLine(out io.Writer, l botlog.Line) {
	if l.Note {
		fmt.Fprintf(out, "%d | -- %s\n", l.Cluster, l.Text)
		return
	}
	fmt.Fprintf(out, "%d | %s\n", l.Cluster, l.Text)
}
