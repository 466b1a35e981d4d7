package ipc

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/discluster/control/transport"
)

// MaxFrame is the limit of a frame in bytes, without its separator. Upstream has no limit and was
// tested with this one (PROTOCOL A1, B2). A longer one ends its reader's link; Send refuses it.
const MaxFrame = 8 << 20

// separator ends every frame: a form feed, which JSON escapes within strings and forbids outside
// (PROTOCOL A1).
const separator = 0x0C

// readBuffer is the size of one read from the socket. Every cluster has one: a quarter of node's
// write size.
const readBuffer = 16 << 10

// frameReader splits a stream into frames, however its bytes arrive.
type frameReader struct{ in *bufio.Reader }

// newFrameReader reads the frames of r, which no other reader may use from then on.
func newFrameReader(r io.Reader) frameReader {
	return frameReader{bufio.NewReaderSize(r, readBuffer)}
}

// next returns the next frame without its separator, in bytes that are valid until the next call;
// empty frames are skipped. The frame's content is not checked. io.EOF comes between two frames,
// io.ErrUnexpectedEOF within one, transport.ErrTooLarge at one over MaxFrame; an error is final.
func (r frameReader) next() ([]byte, error) {
	var long []byte // the part so far of a frame that does not fit the buffer
	for {
		piece, err := r.in.ReadSlice(separator)
		if err == nil {
			piece = piece[:len(piece)-1]
		}
		if len(long)+len(piece) > MaxFrame {
			return nil, fmt.Errorf("read ipc frame: longer than %d bytes: %w", MaxFrame, transport.ErrTooLarge)
		}
		if err == nil && len(long) == 0 {
			if len(piece) > 0 {
				return piece, nil
			}
			continue
		}
		long = append(long, piece...)
		switch {
		case err == nil:
			return long, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(long) > 0:
			return nil, fmt.Errorf("read ipc frame: the peer left after %d bytes of a frame: %w", len(long), io.ErrUnexpectedEOF)
		default:
			return nil, err
		}
	}
}
