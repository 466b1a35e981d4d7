package logbook

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/config"
)

// Secrets are the secrets that this process knows.
var Secrets = &world.Secrets{}

// threshold is the lowest level that a logger and all loggers derived from it write. It may change
// while they are in use.
type threshold struct{ level atomic.Int32 }

// Sample implements zerolog.Sampler. Zerolog calls it before it formats a line.
func (t *threshold) Sample(level zerolog.Level) bool { return level >= zerolog.Level(t.level.Load()) }

// set sets the level to one of the configuration's names.
func (t *threshold) set(name string) {
	level, err := zerolog.ParseLevel(name)
	if err != nil {
		level = zerolog.InfoLevel // config has validated it
	}
	t.level.Store(int32(level))
}

// Book is the logger of a process with the queue that its lines pass through.
type Book struct {
	zerolog.Logger
	level *threshold
	queue *logQueue
}

// New returns the log on out at the configured level: JSON lines, or readable ones if out is a
// terminal. No line shows a secret of the configuration.
//
// The process goes on if nothing reads the log: SIGPIPE is caught. It is not ignored, because bots
// and hooks would inherit that.
func New(c *config.Config, out io.Writer) *Book {
	Secrets.Learn(c.Secrets()...)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	level := new(threshold)
	level.set(c.Log.Level)
	zerolog.TimeFieldFormat = time.RFC3339Nano
	format := func(out io.Writer) io.Writer { return out }
	if c.Log.Format == config.FormatConsole || c.Log.Format == config.FormatAuto && IsTerminal(out) {
		format = func(out io.Writer) io.Writer { return zerolog.ConsoleWriter{Out: out, TimeFormat: "15:04:05.000"} }
	}
	queue := newLogQueue(out, format)
	return &Book{zerolog.New(format(queue)).Sample(level).With().Timestamp().Logger(), level, queue}
}

// SetLevel changes the level, also of the loggers derived from this one, to a name of log.level.
func (b *Book) SetLevel(name string) { b.level.set(name) }

// Flush waits until every line is written, for a second at most.
func (b *Book) Flush() { b.queue.flush(logFlush) }

// PrintLast writes a line to stderr before the process ends. It gives up after a second.
func PrintLast(text string) {
	written := make(chan struct{})
	go func() {
		defer close(written)
		fmt.Fprintln(os.Stderr, Secrets.Text(text))
	}()
	select {
	case <-written:
	case <-time.After(logFlush):
	}
}

// logFlush bounds how long a process that ends waits for the reader of its log.
const logFlush = time.Second

// IsTerminal reports whether w is a terminal, which a person reads.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// OneLine returns the text of an error on one line.
func OneLine(err error) string { return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ") }
