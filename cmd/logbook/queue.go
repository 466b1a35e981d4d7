package logbook

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

var linesLost atomic.Uint64

// LinesLost returns how many lines of this process's log were lost.
func LinesLost() uint64 { return linesLost.Load() }

// logQueueMax bounds the bytes of the log that wait for a slow reader. Lines beyond it are lost and
// counted.
const logQueueMax = 4 << 20

// logQueue redacts and queues the lines of the log, and a goroutine writes them. Write never blocks
// and never fails, whatever the reader does. Lines that a full queue or a failed write lost are
// reported in the log as soon as a line is written again.
type logQueue struct {
	out    io.Writer
	format func(io.Writer) io.Writer // of the queue's own lines

	mu      sync.Mutex
	more    sync.Cond
	waiting []queued
	bytes   int
	lost    uint64
}

// queued is a line, or the mark of a flush, which is closed when all lines before it are written.
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

// Write queues one line.
func (q *logQueue) Write(line []byte) (int, error) {
	clean := []byte(Secrets.Text(string(line)))
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

// flush waits until every line queued before it is written, for limit at most.
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

// run writes the queued lines until the process ends.
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

// next waits for a queued line or mark and returns it.
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

// wrote counts a line that could not be written. After one that was, and if the queue has room
// again, it reports the lines that were lost.
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
	log.Warn().Uint64("lines", lost).Msg("log lines lost: the log was not read in time")
	if report.err != nil {
		q.mu.Lock()
		q.lost += lost
		q.mu.Unlock()
	}
}

// lose counts lost lines. mu is held.
func (q *logQueue) lose(n uint64) {
	q.lost += n
	linesLost.Add(n)
}

// checked keeps the last error of a writer.
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
