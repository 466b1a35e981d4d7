package bot

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/ipc"
)

// echo is a link whose other end answers every request at once, on the goroutine that writes.
type echo struct{ frame func([]byte) }

func (e *echo) Receive(frame func([]byte), _ func(error)) { e.frame = frame }
func (e *echo) Ack()                                      {}
func (e *echo) Close(int, string)                         {}
func (e *echo) Send([]byte) error                         { return nil }
func (e *echo) Offer(frame []byte) error {
	var d ipc.Delivery
	if is, err := d.Read(frame); is && err == nil && d.T == messages.TRequest {
		go e.frame(ipc.Reply{T: d.T, Event: []byte(d.Event), Results: [][]byte{[]byte("42")}, Clusters: []messages.ClusterID{1}}.Encode())
	}
	return nil
}

// onEcho returns a cluster whose CONTROL is an echo.
func onEcho(handle func(Message)) (*Cluster, *echo) {
	e := &echo{}
	o := defaults()
	o.log, o.messages = slog.New(slog.DiscardHandler), handle
	c := &Cluster{opt: o, env: environment{cluster: 0, clusters: 2}, requests: map[messages.Snowflake]*pending{}, conns: map[*conn]bool{}, in: inbox{queue: make(chan Message, inboxMax)}}
	c.conn = &conn{c: c, link: e, closed: make(chan struct{})}
	e.Receive(c.conn.frame, nil)
	return c, e
}

var _ transport.Link = (*echo)(nil)

// BenchmarkAsk sends a request and gets its answer without sockets: the cost of the SDK itself.
func BenchmarkAsk(b *testing.B) {
	c, _ := onEcho(nil)
	b.ReportAllocs()
	for b.Loop() {
		if answers, err := Ask[int](context.Background(), c, Clusters(1), "answer", nil); err != nil || answers[0].Value != 42 {
			b.Fatal(answers, err)
		}
	}
}

// BenchmarkNotify sends a message of 4 KiB.
func BenchmarkNotify(b *testing.B) {
	c, _ := onEcho(nil)
	text := strings.Repeat("x", 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Notify(Clusters(1), text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMessage receives a message of 4 KiB, into the queue of its handler.
func BenchmarkMessage(b *testing.B) {
	c, e := onEcho(func(Message) {})
	var frame []byte
	_ = ipc.Talk{T: messages.TMessage, Event: "1", Clusters: []int{0}}.Write(strings.Repeat("x", 4096), func(f []byte) error {
		frame = bytes.Clone(f)
		return nil
	})
	b.ReportAllocs()
	for b.Loop() {
		e.frame(frame)
		<-c.in.queue
	}
}
