//go:build linux

package bench

import (
	"io"
	"net"
)

// A bare socket blocks its sender, the Router refuses messages that a reader is too slow for, and
// the SDK drops those that a handler is too slow for. The receiver therefore pays the sender a
// credit for each batch of messages, and no more than this are under way.
const (
	batch            = 16
	inFlight         = 2 << 20 // bytes
	inFlightMessages = 768
)

// paced sends n messages of a size with send, and waits for credits while too many are under way.
// It returns when all were received.
func paced(earned net.Conn, n, size int, send func() error) error {
	credit := make(chan struct{}, n/batch+1)
	go func() {
		buf := make([]byte, 256)
		for {
			got, err := earned.Read(buf)
			for range got {
				credit <- struct{}{}
			}
			if err != nil {
				close(credit)
				return
			}
		}
	}()
	spare := max(min(inFlight/size, inFlightMessages)/batch, 2)
	for i := range n {
		if i%batch == 0 {
			if spare > 0 {
				spare--
			} else if _, open := <-credit; !open {
				return io.ErrUnexpectedEOF
			}
		}
		if err := send(); err != nil {
			return err
		}
	}
	for range credit { // the receiver pays for all
	}
	return nil
}

// creditor listens at a path for the sender of messages.
func creditor(path string) (credits net.Conn, stop func(), err error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, nil, err
	}
	c, err := l.Accept()
	if err != nil {
		return nil, nil, err
	}
	return c, func() { _ = c.Close(); _ = l.Close() }, nil
}
