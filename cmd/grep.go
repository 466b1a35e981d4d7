package cmd

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"regexp"
	"time"
)

const (
	grepEvery = 100 * time.Millisecond // a look at what a file has more
	lineMax   = 64 << 10               // of a longer line each piece is looked at
)

// grep waits in the background until a line of a file that is being written matches.
func grep(file string, line *regexp.Regexp, done func(error)) (cancel func()) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		if err := grepNow(ctx, file, line); !errors.Is(err, context.Canceled) {
			done(err)
		}
	}()
	return cancel
}

func grepNow(ctx context.Context, file string, line *regexp.Regexp) error {
	var f *os.File
	var in *bufio.Reader
	var rest []byte // of a line whose end is not written yet
	tick := time.NewTicker(grepEvery)
	defer tick.Stop()
	for {
		if f == nil {
			var err error
			if f, err = os.Open(file); err == nil {
				defer f.Close()
				in = bufio.NewReaderSize(f, lineMax)
			} else if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		for f != nil {
			text, err := in.ReadSlice('\n')
			rest = append(rest, text...)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				return err
			}
			if line.Match(rest) {
				return nil
			}
			rest = rest[:0]
		}
		if len(rest) > lineMax {
			rest = rest[:0]
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
