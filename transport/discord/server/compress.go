package server

import (
	"bytes"
	"fmt"
	"io"

	"github.com/gorilla/websocket"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// packer makes frames of payloads. A compressed transport has one context for the whole connection,
// flushed after every payload (events/gateway, "Transport Compression"); it costs 0.5 (zstd) to 0.8
// MB (zlib) a connection.
type packer struct {
	kind int // websocket.TextMessage or BinaryMessage
	buf  bytes.Buffer
	to   interface { // nil: plain text
		io.Writer
		Flush() error
	}
}

// zstdWindow is enough for payloads that repeat each other, and keeps a connection small; any
// decoder accepts it.
const zstdWindow = 64 << 10

// newPacker returns the packer for a ?compress= of the gateway's address; the error is a text for
// the client.
func newPacker(compress string) (*packer, error) {
	p := &packer{kind: websocket.BinaryMessage}
	var err error
	switch compress {
	case "":
		p.kind = websocket.TextMessage
	case "zlib-stream":
		p.to, err = zlib.NewWriterLevel(&p.buf, zlib.BestSpeed)
	case "zstd-stream":
		p.to, err = zstd.NewWriter(&p.buf, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true))
	default:
		err = fmt.Errorf("compress %.20q is unknown: zlib-stream or zstd-stream", compress)
	}
	return p, err
}

// pack returns the frame of one payload, valid until the next call.
func (p *packer) pack(payload []byte) ([]byte, error) {
	if p.to == nil {
		return payload, nil
	}
	p.buf.Reset()
	if _, err := p.to.Write(payload); err != nil {
		return nil, err
	}
	if err := p.to.Flush(); err != nil {
		return nil, err
	}
	return p.buf.Bytes(), nil
}
