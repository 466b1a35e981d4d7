package local

import (
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// bot is a client that does what a test asks.
type bot struct {
	t    testing.TB
	ws   *websocket.Conn
	text *json.Decoder
}

func dial(t testing.TB, address string) *bot {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial(address, nil)
	if err != nil {
		t.Fatalf("dial %s: %v", address, err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	b := &bot{t: t, ws: ws}
	var from io.Reader = &stream{ws: ws}
	switch u, _ := url.Parse(address); u.Query().Get("compress") {
	case "zlib-stream":
		if from, err = zlib.NewReader(from); err != nil {
			t.Fatal(err)
		}
	case "zstd-stream":
		if from, err = zstd.NewReader(from, zstd.WithDecoderConcurrency(1)); err != nil {
			t.Fatal(err)
		}
	}
	b.text = json.NewDecoder(from)
	return b
}

// stream reads a websocket's messages as one.
type stream struct {
	ws  *websocket.Conn
	cur io.Reader
}

func (s *stream) Read(p []byte) (int, error) {
	for {
		if s.cur == nil {
			var err error
			if _, s.cur, err = s.ws.NextReader(); err != nil {
				return 0, err
			}
		}
		n, err := s.cur.Read(p)
		if errors.Is(err, io.EOF) {
			if s.cur = nil; n == 0 {
				continue
			}
			err = nil
		}
		return n, err
	}
}

// says expects the next frame. How often the bot is asked for a heartbeat depends on the time.
func (b *bot) says(want string) {
	b.t.Helper()
	got := json.RawMessage(ask)
	for string(got) == ask {
		if err := b.text.Decode(&got); err != nil {
			b.t.Fatalf("want %s: %v", want, err)
		}
	}
	if string(got) != want {
		b.t.Fatalf("got %s\nwant %s", got, want)
	}
}

// closes expects the end.
func (b *bot) closes(code int, reason string) {
	b.t.Helper()
	for {
		var skip json.RawMessage
		err := b.text.Decode(&skip)
		if err == nil {
			continue
		}
		closed, ok := errors.AsType[*websocket.CloseError](err)
		if !ok || closed.Code != code || closed.Text != reason {
			b.t.Fatalf("ended with %v, want %d %s", err, code, reason)
		}
		return
	}
}

func (b *bot) send(frame string) {
	b.t.Helper()
	if err := b.ws.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bot) identify() {
	b.send(`{"op":2,"d":{"token":"Bot secret","intents":513,"shard":[2,4]}}`)
}

const (
	hello = `{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":30000,"_trace":[]}}`
	ask   = `{"t":null,"s":null,"op":1,"d":null}`
	ack   = `{"t":null,"s":null,"op":11,"d":null}`
)
