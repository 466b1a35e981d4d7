package cmd

import (
	"bufio"
	"context"
	"os"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/botlog"
)

// keepEvery is the pause between two passes over the bots' output: a file may exceed its limit that
// long.
const keepEvery = time.Second

// logKeeper returns the behaviour that keeps the output of the bots within its limits.
func logKeeper(dir string, limits botlog.Limits) world.Behaviour {
	return world.Behaviour{Name: "logkeeper", Actor: func(w *world.World, addresses world.Addresses) actor.Actor {
		return &keeper{w: w, addresses: addresses, files: &botlog.Keeper{Dir: dir, Limits: limits}, writers: map[messages.ClusterID]int{}, astray: map[botlog.Writer]string{}}
	}}
}

// keeper runs one pass at a time; the next begins keepEvery after its end.
type keeper struct {
	w         *world.World
	addresses world.Addresses
	files     *botlog.Keeper
	writers   map[messages.ClusterID]int // the pids of the bots
	astray    map[botlog.Writer]string   // the files that the last pass found removed or renamed
	lastErr   string                     // the error reported last
	cancel    func()
}

// Messages of a keeper to itself.
type (
	passDue struct{}
	passed  struct {
		astray map[botlog.Writer]string
		err    error
	}
)

// IgnoreDeadLetterLogging keeps a pass that outlived its actor out of the log.
func (passDue) IgnoreDeadLetterLogging() {}
func (passed) IgnoreDeadLetterLogging()  {}

// Receive is the only state of a keeper.
func (k *keeper) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(k.addresses.Events, messages.Subscribe{})
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
				ctx.Send(k.addresses.Events, messages.LogsMoved{Cluster: w.Cluster, PID: w.PID, File: file})
			}
		}
		k.astray = m.astray
		if m.err != nil && m.err.Error() != k.lastErr {
			k.lastErr = m.err.Error()
			ctx.Send(k.addresses.Events, messages.LogsUnkept{Err: oneLine(m.err)})
		}
		k.next(ctx)
	case *actor.Stopping:
		k.cancel()
	}
}

// next schedules the next pass.
func (k *keeper) next(ctx actor.Context) {
	if k.cancel != nil {
		k.cancel()
	}
	send := world.Sender(ctx)
	k.cancel = k.w.After(keepEvery, func() { send(passDue{}) })
}

// followEvery is the pause between two reads of a file that is followed.
const followEvery = 200 * time.Millisecond

// follow passes the bots' output to w until ctx ends, and calls flush after each round. failed gets
// the error of a read when it changes.
func follow(ctx context.Context, w *botlog.Follower, flush func() error, failed func(error)) error {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	lastErr := ""
	for {
		last := ctx.Err() != nil
		more, err := w.Round()
		if err != nil && err.Error() != lastErr {
			lastErr = err.Error()
			failed(err)
		}
		if last {
			w.Close()
		}
		if err := flush(); err != nil || last {
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

// showOutput prints the bots' further output beside the daemon's log, for a person at a terminal.
// stop waits until all of it is printed, for logFlush at most.
func (d *daemon) showOutput(dir string) (stop func(), err error) {
	out := bufio.NewWriter(os.Stderr)
	shown := &output{out: out, flushed: out.Flush}
	w := &botlog.Follower{Dir: dir, Emit: shown.take}
	if err := w.Begin(0); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		failed := func(err error) { d.log.Warn().Err(err).Msg("cannot show the bots' output") }
		_ = follow(ctx, w, shown.flush, failed) // an error of the terminal cannot be shown on it
	}()
	return func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(logFlush):
		}
	}, nil
}
