package cmd

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/discluster/control/actors/world"
)

// What a process has once: the secrets that it knows, and how many lines of its log it lost.
var (
	secrets  = &world.Secrets{}
	logsLost atomic.Uint64
)

// logQueueMax is how many bytes of the log wait for a reader that stalls. What comes then is lost,
// and counted.
const logQueueMax = 4 << 20

// logQueue is the log's way out: lines are redacted and queued, and a goroutine writes them. Write
// never blocks and never fails, whatever the reader of the log does. Lines that are lost, to a full
// queue or a failed write, are reported in the log once it takes lines again.
type logQueue struct {
	out    io.Writer
	format func(io.Writer) io.Writer // of our own lines

	mu      sync.Mutex
	more    sync.Cond
	waiting []queued
	bytes   int
	lost    uint64
}

// queued is a line, or the mark of a flush, which is closed when all lines before it are out.
type queued struct {
	line []byte
	mark chan struct{}
}

func newLogQueue(out io.Writer, format func(io.Writer) io.Writer) *logQueue {
	q := &logQueue{out: out, format: format}
	q.more.L = &q.mu
	go q.run()
	return q
}

// Write takes one line.
func (q *logQueue) Write(line []byte) (int, error) {
	clean := []byte(secrets.Text(string(line)))
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes+len(clean) > logQueueMax {
		q.lose(1)
		return len(line), nil
	}
	q.waiting = append(q.waiting, queued{line: clean})
	q.bytes += len(clean)
	q.more.Signal()
	return len(line), nil
}

// flush waits until what was written before is out, or the limit is over.
func (q *logQueue) flush(limit time.Duration) {
	mark := make(chan struct{})
	q.mu.Lock()
	q.waiting = append(q.waiting, queued{mark: mark})
	q.more.Signal()
	q.mu.Unlock()
	select {
	case <-mark:
	case <-time.After(limit):
	}
}

// run writes what waits, for the life of the process.
func (q *logQueue) run() {
	for {
		next := q.next()
		if next.mark != nil {
			close(next.mark)
			continue
		}
		_, err := q.out.Write(next.line)
		q.wrote(err)
	}
}

// next waits for what is to be written next.
func (q *logQueue) next() queued {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 {
		q.more.Wait()
	}
	next := q.waiting[0]
	q.waiting = q.waiting[1:]
	q.bytes -= len(next.line)
	return next
}

// wrote counts a line that could not be written; after one that was, and with room in the queue
// again, it reports the lines that are lost.
func (q *logQueue) wrote(err error) {
	q.mu.Lock()
	if err != nil {
		q.lose(1)
	}
	lost := q.lost
	if err != nil || lost == 0 || q.bytes > logQueueMax/2 {
		q.mu.Unlock()
		return
	}
	q.lost = 0
	q.mu.Unlock()
	report := &checked{Writer: q.out}
	log := zerolog.New(q.format(report)).With().Timestamp().Logger()
	log.Warn().Uint64("lines", lost).Msg("log lines were lost: the log was not read in time")
	if report.err != nil {
		q.mu.Lock()
		q.lost += lost
		q.mu.Unlock()
	}
}

// lose counts lines. mu is held.
func (q *logQueue) lose(n uint64) {
	q.lost += n
	logsLost.Add(n)
}

// checked keeps the error of a writer.
type checked struct {
	io.Writer
	err error
}

// Write is part of io.Writer.
func (c *checked) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.err = err
	return n, err
}
