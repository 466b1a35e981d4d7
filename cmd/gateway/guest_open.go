package gateway

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
)

// This file keeps the calls of a bot that are not answered: if we die, the next host answers them
// with an error. The bot would wait forever.

const (
	openCallsMax = 1 << 20  // bytes of the file, beyond which it is begun again once no call is open
	lostCallsMax = 64 << 20 // bytes of it that are read
)

// openCalls is a file with a line "+N KEY" for each call, and "-N" for each answer. Its methods are
// safe for concurrent use. Where it cannot be written, the calls of our death have no answer.
type openCalls struct {
	path string

	mu   sync.Mutex
	file *os.File // nil: not open
	size int
	last int
	open map[int]bool
}

// begin keeps a call until end. It returns its number.
func (o *openCalls) begin(key []byte) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.open) == 0 && o.size > openCallsMax && o.file != nil && o.file.Truncate(0) == nil {
		o.size = 0
	}
	if o.open == nil {
		o.open = map[int]bool{}
	}
	o.last++
	o.open[o.last] = true
	o.write(fmt.Appendf(nil, "+%d %s\n", o.last, key))
	return o.last
}

// end drops a call, which is answered.
func (o *openCalls) end(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.open[n] {
		return // its bot is gone
	}
	delete(o.open, n)
	o.write(fmt.Appendf(nil, "-%d\n", n))
}

// write appends a line by one call, so that our death leaves it whole or not at all.
func (o *openCalls) write(line []byte) {
	if o.file == nil {
		var err error
		if o.file, err = os.OpenFile(o.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
			o.file = nil
			return
		}
	}
	n, _ := o.file.Write(line) // on a full disk: see openCalls
	o.size += n
}

// reset forgets all calls: the bot that made them is gone, or has its answers.
func (o *openCalls) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file != nil {
		_ = o.file.Close()
	}
	_ = os.Remove(o.path) // it may not be there
	o.file, o.size, o.open = nil, 0, nil
}

// lost returns the keys of the calls that an earlier host has not answered, in their order.
func (o *openCalls) lost() (keys [][]byte) {
	file, err := os.Open(o.path)
	if err != nil {
		return nil // there is none, or it cannot be read
	}
	defer func() { _ = file.Close() }()
	at := map[int]int{} // by the number of a call
	lines := bufio.NewReader(io.LimitReader(file, lostCallsMax))
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break // what has no newline is no line
		}
		head, key, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
		if len(head) < 2 {
			continue
		}
		n, err := strconv.Atoi(string(head[1:]))
		switch {
		case err != nil:
		case head[0] == '+':
			at[n] = len(keys)
			keys = append(keys, key)
		case head[0] == '-':
			if i, open := at[n]; open {
				keys[i] = nil
			}
		}
	}
	return keys
}
