//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/ipc"
)

// echo is a packet that node/framing.mjs returns.
type echo struct {
	How   string `json:"how"`
	Times int    `json:"times,omitempty"`
	Text  string `json:"text"`
}

// frame returns the packet as bytes on the wire.
func (e echo) frame(t *testing.T) []byte {
	t.Helper()
	d, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(`{"type":"__DDOO__.MESSAGE","data":{"op":0,"t":"MESSAGE","d":` + string(d) + `}}`)
}

// nodeLine is a link to a node-ipc and the frames it received.
type nodeLine struct {
	t      *testing.T
	link   transport.Link
	frames chan []byte
	ended  chan error
}

// hears returns the next frame.
func (l *nodeLine) hears() []byte {
	l.t.Helper()
	select {
	case f := <-l.frames:
		return f
	case err := <-l.ended:
		l.t.Fatalf("the link ended: %v", err)
	case <-time.After(patience):
		l.t.Fatalf("no frame within %v", patience)
	}
	return nil
}

// opened takes over a link.
func opened(t *testing.T, l transport.Link) *nodeLine {
	line := &nodeLine{t, l, make(chan []byte), make(chan error, 1)}
	l.Receive(func(f []byte) { line.frames <- bytes.Clone(f); l.Ack() }, func(err error) { line.ended <- err })
	t.Cleanup(func() { l.Close(0, "") })
	return line
}

// Packets pass whole between CONTROL and node-ipc, in both directions, however they are cut and
// joined on the way: with node-ipc as the server, as in a Discordoo, and as the client.
func TestFramingOfNodeIPC(t *testing.T) {
	t.Parallel()
	program := node(t)
	for side, open := range map[string]func(t *testing.T, path string) *nodeLine{
		"serve": func(t *testing.T, path string) *nodeLine {
			start(t, nil, program, "node/framing.mjs", "serve", path)
			var line *nodeLine
			eventually(t, "node-ipc listens", func() bool {
				dialled := make(chan transport.Link, 1)
				ipc.Dial(path, func(l transport.Link, _ error) { dialled <- l })
				l := <-dialled
				if l != nil {
					line = opened(t, l)
				}
				return l != nil
			})
			return line
		},
		"dial": func(t *testing.T, path string) *nodeLine {
			links := make(chan transport.Link, 1)
			stop, err := ipc.Listen(path, func(l transport.Link) { links <- l })
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(stop)
			start(t, nil, program, "node/framing.mjs", "dial", path)
			select {
			case l := <-links:
				line := opened(t, l)
				if first := line.hears(); !strings.Contains(string(first), `"op":1`) {
					t.Errorf("it began with %s", first)
				}
				return line
			case <-time.After(patience):
				t.Fatalf("no link within %v", patience)
				return nil
			}
		},
	} {
		t.Run(side, func(t *testing.T) {
			t.Parallel()
			line := open(t, filepath.Join(folder(t), "peer"))
			bare := len(echo{How: "halves", Times: 1}.frame(t))
			for _, e := range []echo{
				{"emit", 1, "by itself"},
				{"emit", 1, "\f is no end here,\nнор ☃ 🎄"},
				{"bytes", 1, strings.Repeat("ёлка ☃ 🎄\f", 20)},
				{"halves", 100, strings.Repeat("ёлка ☃ 🎄", 50)},
				{"together", 300, "many"},
				{"together", 1, ""},
				{"emit", 1, strings.Repeat("ш", (ipc.MaxFrame-bare)/2)},
				{"halves", 1, strings.Repeat("x", ipc.MaxFrame-bare)},
			} {
				if err := line.link.Send(e.frame(t)); err != nil {
					t.Fatalf("%s ×%d: %v", e.How, e.Times, err)
				}
				for n := range e.Times {
					var got struct{ Data struct{ D echo } }
					if f := line.hears(); json.Unmarshal(f, &got) != nil || got.Data.D != e {
						t.Fatalf("%s %d: %d bytes, begins with %.200s", e.How, n, len(f), f)
					}
				}
			}
			for range 200 { // at once, so that node gets them joined
				if err := line.link.Send(echo{How: "emit", Times: 1, Text: "ёлка"}.frame(t)); err != nil {
					t.Fatal(err)
				}
			}
			for range 200 {
				line.hears()
			}
			if err := line.link.Send(echo{How: "grown", Times: 9, Text: strings.Repeat("x", 1<<20)}.frame(t)); err != nil {
				t.Fatal(err)
			}
			select {
			case f := <-line.frames:
				t.Errorf("a frame of %d bytes came", len(f))
			case err := <-line.ended:
				if !errors.Is(err, transport.ErrTooLarge) {
					t.Errorf("a frame over the limit ended the link with: %v", err)
				}
			case <-time.After(patience):
				t.Error("a frame over the limit did not end the link")
			}
		})
	}
}
