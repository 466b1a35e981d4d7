package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/discluster/control/transport/discord/rules"
)

// patience bounds the wait for a frame that must come.
const patience = 20 * time.Second

// start runs a server on a free port until the test ends.
func start(t *testing.T, c Config) (*Server, string) {
	t.Helper()
	if c.Rules.Token == "" {
		c.Rules.Token = "good"
	}
	s := New(c)
	base, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, base
}

// frame is a payload as a bot sees it.
type frame struct {
	Op int             `json:"op"`
	T  string          `json:"t"`
	S  int64           `json:"s"`
	D  json.RawMessage `json:"d"`
}

// bot is a gateway client controlled by a test.
type bot struct {
	t      *testing.T
	ws     *websocket.Conn
	dec    *json.Decoder
	frames *messages
}

// messages reads the websocket's messages as one stream, and keeps what ended it.
type messages struct {
	ws  *websocket.Conn
	cur io.Reader
	err error
}

func (m *messages) Read(p []byte) (int, error) {
	for {
		if m.cur == nil {
			if _, m.cur, m.err = m.ws.NextReader(); m.err != nil {
				return 0, m.err
			}
		}
		n, err := m.cur.Read(p)
		if err == io.EOF {
			m.cur = nil
			if n == 0 {
				continue
			}
		}
		return n, nil
	}
}

// dial connects to the gateway at path, "/?v=10…"; it does not read so far.
func dial(t *testing.T, base, path string) *bot {
	t.Helper()
	ws, r, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(base, "http")+path, nil)
	if err != nil {
		t.Fatalf("dial %s: %v %+v", path, err, r)
	}
	t.Cleanup(func() { _ = ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	b := &bot{t: t, ws: ws, frames: &messages{ws: ws}}
	b.dec = json.NewDecoder(b.frames)
	return b
}

// hello dials and reads HELLO.
func hello(t *testing.T, base string) *bot {
	t.Helper()
	b := dial(t, base, "/?v=10&encoding=json")
	b.want(10, "")
	return b
}

// inflate reads all that follows through one decompressor.
func (b *bot) inflate(kind string) {
	b.t.Helper()
	var r io.Reader
	var err error
	if kind == "zlib-stream" {
		r, err = zlib.NewReader(b.frames)
	} else {
		r, err = zstd.NewReader(b.frames, zstd.WithDecoderConcurrency(1))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.dec = json.NewDecoder(r)
}

// send writes one frame of text.
func (b *bot) send(format string, args ...any) {
	b.t.Helper()
	if err := b.ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bot) identify(shard, count int) {
	b.t.Helper()
	b.send(`{"op":2,"d":{"token":"good","intents":513,"shard":[%d,%d],"properties":{}}}`, shard, count)
}

func (b *bot) resume(r readyFields, seq int64) {
	b.t.Helper()
	b.send(`{"op":6,"d":{"token":"good","session_id":%q,"seq":%d}}`, r.SessionID, seq)
}

// want reads the next frame, which must be this one; kind is empty for anything but op 0.
func (b *bot) want(op int, kind string) frame {
	b.t.Helper()
	var f frame
	if err := b.dec.Decode(&f); err != nil {
		b.t.Fatalf("want op %d %s, got %v", op, kind, err)
	}
	if f.Op != op || f.T != kind {
		b.t.Fatalf("got op %d %s %s, want op %d %s", f.Op, f.T, f.D, op, kind)
	}
	return f
}

// readyFields are the fields of READY that these tests read.
type readyFields struct {
	V                int    `json:"v"`
	SessionID        string `json:"session_id"`
	ResumeGatewayURL string `json:"resume_gateway_url"`
	Shard            [2]int `json:"shard"`
	Guilds           []struct{ ID string }
}

// ready identifies as [shard, count] and reads READY.
func (b *bot) ready(shard, count int) readyFields {
	b.t.Helper()
	b.identify(shard, count)
	var r readyFields
	if err := json.Unmarshal(b.want(0, "READY").D, &r); err != nil {
		b.t.Fatal(err)
	}
	return r
}

// content reads the next frame, a MESSAGE_CREATE, and returns its number.
func (b *bot) content() string {
	b.t.Helper()
	var d struct{ Content string }
	if err := json.Unmarshal(b.want(0, "MESSAGE_CREATE").D, &d); err != nil {
		b.t.Fatal(err)
	}
	return d.Content
}

// closed reads to the end and returns the server's close code and reason, CloseVanished without
// one.
func (b *bot) closed() (int, string) {
	b.t.Helper()
	for b.frames.err == nil {
		var f frame
		_ = b.dec.Decode(&f) // the error that ended the stream is in frames.err
	}
	var e *websocket.CloseError
	if errors.As(b.frames.err, &e) {
		return e.Code, e.Text
	}
	return rules.CloseVanished, b.frames.err.Error()
}
