// Package pack makes the frames of a gateway connection of its payloads, compressed as the client
// asked for.
package pack

import (
	"bytes"
	"fmt"
	"io"

	"github.com/gorilla/websocket"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// Packer makes frames of payloads. A compressed transport has one context for the whole connection,
// flushed after every payload (events/gateway, "Transport Compression"); it costs 0.5 (zstd) to
// 0.8 MB (zlib) a connection.
type Packer struct {
	Kind int // websocket.TextMessage or BinaryMessage
	buf  bytes.Buffer
	to   interface { // nil: plain text
		io.Writer
		Flush() error
	}
}

// zstdWindow is enough for payloads that repeat each other, and keeps a connection small; any
// decoder accepts it.
const zstdWindow = 64 << 10

// bufMax bounds the bytes of the buffer that a packer keeps.
const bufMax = 1 << 20

// New returns the packer for a ?compress= of the gateway's address; the error is a text for the
// client.
func New(compress string) (*Packer, error) {
	p := &Packer{Kind: websocket.BinaryMessage}
	var err error
	switch compress {
	case "":
		p.Kind = websocket.TextMessage
	case "zlib-stream":
		p.to, err = zlib.NewWriterLevel(&p.buf, zlib.BestSpeed)
	case "zstd-stream":
		p.to, err = zstd.NewWriter(&p.buf, zstd.WithEncoderConcurrency(1),
			zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true))
	default:
		err = fmt.Errorf("compress %.20q is unknown: zlib-stream or zstd-stream", compress)
	}
	return p, err
}

// Pack returns the frame of one payload, valid until the next call.
func (p *Packer) Pack(payload []byte) ([]byte, error) {
	if p.to == nil {
		return payload, nil
	}
	if p.buf.Cap() > bufMax {
		p.buf = bytes.Buffer{}
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
