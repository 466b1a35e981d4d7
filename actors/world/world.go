// Package world is the base of every actor here: World, all its effects; States, its state machine;
// guard, its panics.
package world

import (
	"regexp"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/proc"
)

// World is everything that lies outside a mailbox. cmd fills it with the machine's own; test/sim
// with a seeded one.
//
// No function blocks. A callback is called later, never from within the call that took it, on no
// particular goroutine: all it may do is send to an actor. time.Now is not here: a bubble simulates
// it. World replaces the order of things, and the clocks that may be wrong.
type World struct {
	// Clocks are for times in files and packets.
	Clocks
	// After runs fn once d has passed, unless cancel came first. A cancel that comes too late is no
	// error.
	After func(d time.Duration, fn func()) (cancel func())
	// Dial opens a link. done is called once. cancel abandons the attempt, and closes a link whose
	// Receive was never called.
	Dial func(to transport.Target, done func(transport.Link, error)) (cancel func())
	// Listen accepts links at address ("host:port", port 0 for any) until stop, and returns where it
	// listens. accept is called for every link that introduced itself.
	Listen func(address string, accept func(transport.Link, transport.Greeting)) (at string, stop func(), err error)
	// Start starts a process. done is called once. cancel abandons the attempt, and kills a process
	// whose Wait was never called.
	Start func(spec proc.Spec, done func(proc.Process, error)) (cancel func())
	// Save replaces the named small file of the state folder, whole or not at all, in the order of the
	// calls. Load reads what was saved last, whether it is on disk or not; a missing file is nil, nil.
	Save func(name string, data []byte, done func(error))
	Load func(name string) ([]byte, error)
	// Find finds a process that an earlier run started. done is called once: with the process, with
	// proc.ErrGone when it is dead and nothing of it is left, or with another error when that is
	// unknown. cancel abandons the search, and lets go of a process whose Wait was never called
	// without harming it.
	Find func(m proc.Mark, done func(proc.Process, error)) (cancel func())
	// Intent returns the mark of a process that is about to be started: its boot, and a moment before
	// its start.
	Intent func() proc.Mark
	// Holders lists the values of an environment variable of the running processes that begin with
	// prefix, "NAME=beginning".
	Holders func(prefix string, done func(values []string, err error))
	// Remove deletes a small file, List names all of them; in the order of Save.
	Remove func(name string, done func(error))
	List   func() ([]string, error)
	// Grep waits until a line of a file matches, from its beginning on; the file may not exist at
	// first. done is called once, with an error where it cannot be read.
	Grep func(file string, line *regexp.Regexp, done func(error)) (cancel func())
	// Snapshots are what gateway hosts keep of their shards; nil: the bots of this machine have none.
	Snapshots *Snapshots
	// Hook runs one command with input on its stdin, its output dropped, killed after limit.
	Hook func(argv []string, input []byte, limit time.Duration, done func(error))
	// Unlink removes a stale socket. Anything else, or nothing, is left alone.
	Unlink func(path string)
	// Fetch does one HTTP request.
	Fetch func(r Request, done func(Response, error)) (cancel func())
	// Starved reports whether this machine was short of CPU time within the last seconds, so that a
	// late process may be healthy. It reads what is known, and never blocks.
	Starved func() bool
	// Uptime returns how long the machine has been up, by a clock that all of its processes read and
	// that cannot be set; 0 where there is none.
	Uptime func() time.Duration
	// Rand returns a number in [0,1).
	Rand func() float64
	// Props returns further props of an actor. It may replace the wanted mailbox: production measures
	// it, the simulation has one that runs one message a turn.
	Props func(name string, wanted actor.MailboxProducer) []actor.PropsOption
	Log   zerolog.Logger
	// Secrets holds what this process must not pass on; nil redacts nothing.
	Secrets *Secrets
}

// Reporting returns a World that also reports the outcome of every save; nil where a file is
// written, or removed.
func (w *World) Reporting(report func(file string, err error)) *World {
	reporting := *w
	reporting.Save = func(name string, data []byte, done func(error)) {
		w.Save(name, data, func(err error) {
			report(name, err)
			done(err)
		})
	}
	reporting.Remove = func(name string, done func(error)) {
		w.Remove(name, func(err error) {
			if err == nil {
				report(name, nil)
			}
			done(err)
		})
	}
	return &reporting
}

// Snapshots reads and writes the snapshots that gateway hosts keep of their shards, in parts, while
// no host has them open. A part is compressed, and has some 512 KiB of the snapshot at most.
type Snapshots struct {
	// Read returns the part at an offset, and the offset of the next one; 0: it is the last.
	Read func(cluster messages.ClusterID, shard int, offset int64, done func(part []byte, next int64, err error))
	// Write writes parts in the order of their offsets. The last one replaces the snapshot that was
	// there.
	Write func(cluster messages.ClusterID, shard int, offset int64, part []byte, last bool, done func(error))
}

// Request is one HTTP request; Response at most ResponseMax bytes of its answer.
type Request struct {
	Method, URL string
	Header      map[string]string
	Body        []byte
	Timeout     time.Duration
	Stay        bool // a redirect is not followed: it is the answer
}

// Response is an answer, whatever its status.
type Response struct {
	Status int
	Header map[string]string // those of ResponseHeaders that came
	Body   []byte
}

// ResponseHeaders are the headers of an answer that are read, by their canonical names.
var ResponseHeaders = []string{"Content-Type", "Location", "Retry-After"}

// ResponseMax limits the bytes of an answer; a longer one is an error.
const ResponseMax = 1 << 20
