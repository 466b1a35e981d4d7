package pack

import (
	"io"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// TestPack: every frame is whole by itself, in one stream for the connection.
func TestPack(t *testing.T) {
	open := map[string]func(io.Reader) (io.Reader, error){
		"":            func(r io.Reader) (io.Reader, error) { return r, nil },
		"zlib-stream": func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) },
		"zstd-stream": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r, zstd.WithDecoderConcurrency(1)) },
	}
	for kind, open := range open {
		p, err := New(kind)
		if err != nil {
			t.Fatal(err)
		}
		if text := p.Kind == websocket.TextMessage; text != (kind == "") {
			t.Errorf("%q: text frames: %v", kind, text)
		}
		sent, to := io.Pipe()
		var from io.Reader
		for _, payload := range []string{"one", "two two two two two two two two"} {
			frame, err := p.Pack([]byte(payload))
			if err != nil {
				t.Fatal(err)
			}
			go to.Write(frame) // a pipe: no more can be read than this frame
			if from == nil {
				if from, err = open(sent); err != nil {
					t.Fatal(err)
				}
			}
			got := make([]byte, len(payload))
			if _, err := io.ReadFull(from, got); err != nil || string(got) != payload {
				t.Errorf("%q: got %q (%v), want %q", kind, got, err, payload)
			}
		}
	}
	if _, err := New("lz4"); err == nil || err.Error() != `compress "lz4" is unknown: zlib-stream or zstd-stream` {
		t.Errorf("lz4: %v", err)
	}
}
