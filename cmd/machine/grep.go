package machine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"regexp"
	"time"
)

const (
	grepEvery = 100 * time.Millisecond // the pause between two reads at the end of a file
	lineMax   = 64 << 10               // bytes; a longer line is matched in pieces
)

// grep waits in the background until a line of a growing file matches, and calls done then or with
// an error.
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
	tick := time.NewTicker(grepEvery)
	defer tick.Stop()
	wait := func() error {
		select {
		case <-tick.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f, err := os.Open(file)
	for errors.Is(err, fs.ErrNotExist) {
		if err := wait(); err != nil {
			return err
		}
		f, err = os.Open(file)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, lineMax)
	var piece []byte // the beginning of an unfinished line
	for {
		text, err := in.ReadSlice('\n')
		piece = append(piece, text...)
		switch {
		case errors.Is(err, io.EOF) && len(piece) < lineMax:
			if err := wait(); err != nil {
				return err
			}
			continue
		case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull):
			return err
		case line.Match(bytes.TrimRight(piece, "\r\n")):
			return nil
		}
		piece = piece[:0]
	}
}
