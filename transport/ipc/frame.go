package ipc

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/discluster/control/transport"
)

// MaxFrame is the longest frame in bytes, its separator not counted. Upstream has no limit and was
// tested with this one (PROTOCOL A1, B2). A longer one ends the link of its reader; Send refuses
// it.
const MaxFrame = 8 << 20

// separator ends every frame: a form feed, which JSON escapes within strings and forbids outside
// (PROTOCOL A1).
const separator = 0x0C

// readBuffer is how many bytes are asked of the socket at once. Every cluster has one: a quarter of
// what node writes at once.
const readBuffer = 16 << 10

// frameReader cuts a stream into frames, however its bytes arrive.
type frameReader struct{ in *bufio.Reader }

// newFrameReader reads the frames of r; nobody else may read from r any more.
func newFrameReader(r io.Reader) frameReader {
	return frameReader{bufio.NewReaderSize(r, readBuffer)}
}

// next gives the next frame without its separator, in bytes that are good until it is called again; empty frames are passed over. What a frame says is not looked at.
// io.EOF comes between two frames, io.ErrUnexpectedEOF within one, transport.ErrTooLarge at one over MaxFrame; nothing can be read behind an error.
func (r frameReader) next() ([]byte, error) {
	var long []byte // what there is of a frame that does not fit the buffer
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
			return nil, fmt.Errorf("read ipc frame: the peer left after %d bytes of one: %w", len(long), io.ErrUnexpectedEOF)
		default:
			return nil, err
		}
	}
}
