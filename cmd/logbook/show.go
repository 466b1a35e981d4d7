package logbook

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/discluster/control/transport/botlog"
)

// Print prints the last lines of each cluster that w reads, and with ongoing the further ones until
// ctx ends. Notes about the files and errors of a read go to notes. A line has the number of its
// cluster if there may be several.
func Print(ctx context.Context, w *botlog.Follower, to, notes io.Writer, lines int, ongoing bool) error {
	out := bufio.NewWriterSize(to, 64<<10)
	files, err := botlog.Files(w.Dir)
	if err != nil {
		return err
	}
	alone := len(w.Only) == 1 || len(w.Only) == 0 && !ongoing && files[0].Cluster == files[len(files)-1].Cluster
	shown := &output{out: out, notes: notes, flushed: out.Flush, bare: alone}
	w.Emit = shown.take
	if err := w.Begin(lines); err != nil {
		return err
	}
	if ongoing {
		return follow(ctx, w, shown.flush, func(err error) { fmt.Fprintln(notes, "control:", OneLine(err)) })
	}
	for {
		more, err := w.Round()
		if err != nil || !more || ctx.Err() != nil {
			w.Close()
			return errors.Join(err, shown.flush())
		}
	}
}

// Show prints the bots' further output, which is in dir, to stderr beside the log, for a person at
// a terminal. stop waits until all of it is printed, for a second at most.
func (b *Book) Show(dir string) (stop func(), err error) {
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
		failed := func(err error) { b.Warn().Err(err).Msg("cannot show the bots' output") }
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
