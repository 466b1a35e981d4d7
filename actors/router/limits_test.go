package router

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	codec "github.com/discluster/control/transport/ipc"
)

// ipcFrame is a packet in its envelope.
func ipcFrame(packet string) string { return `{"type":"__DDOO__.MESSAGE","data":` + packet + `}` }

// asks sends a request, and returns the event_id that its first target gets.
func (b *switchboard) asks(from, to *wire, packet string) (hop string) {
	b.t.Helper()
	b.say(from, ipcFrame(packet))
	var p codec.Parcel
	if ours, err := p.Read([]byte(to.next())); !ours {
		b.t.Fatalf("nothing was asked: %v", err)
	}
	return string(p.Event())
}

// gets checks that a wire has exactly this frame.
func (w *wire) gets(t *testing.T, what, packet string) {
	t.Helper()
	if got := w.next(); got != ipcFrame(packet) {
		t.Errorf("%s:\n got %.300s\nwant %.300s", what, got, ipcFrame(packet))
	}
	if more := w.next(); more != "" {
		t.Errorf("%s: and %.300s", what, more)
	}
}

func TestRouterLimitsRequests(t *testing.T) {
	b := newSwitchboard(t, Options{Eval: true}, 2, false)
	asker, other := b.wires[0], b.wires[1]
	var hops []string
	for range requestsMax {
		hops = append(hops, b.asks(asker, other, `{"op":0,"t":"REQUEST","d":{"event_id":"e","name":"n","shards":[1]}}`))
	}
	b.say(asker, ipcFrame(`{"op":0,"t":"REQUEST","d":{"event_id":"one too many","name":"n","shards":[1]}}`))
	asker.gets(t, "one too many", `{"op":4,"t":"REQUEST","d":{"event_id":"one too many","result":{"name":"Error","message":"1024 requests of this cluster are unanswered: want fewer at a time"}}}`)
	b.say(asker, ipcFrame(`{"op":3,"d":{"event_id":"e","op":4,"shards":[2]}}`))
	asker.gets(t, "a cache operation too many", `{"op":3,"d":{"event_id":"e","success":false,"error":"1024 requests of this cluster are unanswered: want fewer at a time"}}`)

	answer := `{"op":0,"t":"REQUEST","d":{"event_id":"` + hops[7] + `","result":7}}`
	b.say(asker, ipcFrame(answer)) // which was not asked
	b.say(other, ipcFrame(strings.Replace(answer, "REQUEST", "BROADCAST_EVAL", 1)))
	if early := asker.next(); early != "" {
		t.Errorf("answered before any target: %s", early)
	}
	b.say(other, ipcFrame(answer))
	asker.gets(t, "answered", `{"op":0,"t":"REQUEST","d":{"event_id":"e","result":[7],"clusters":[1]}}`)
	b.say(other, ipcFrame(answer))
	if twice := asker.next(); twice != "" {
		t.Errorf("answered twice: %s", twice)
	}
	b.asks(asker, other, `{"op":0,"t":"REQUEST","d":{"event_id":"e","name":"n","shards":[1]}}`)
	b.root.Send(b.router, connEnded{link: other})
	b.settle()
	for range requestsMax {
		if got := asker.next(); got != ipcFrame(`{"op":0,"t":"REQUEST","d":{"event_id":"e","result":[],"clusters":[],"errors":[{"cluster":1,"error":"it went away before it answered"}]}}`) {
			t.Fatalf("got %s", got)
		}
	}
	if asker.took != requestsMax+4 {
		t.Errorf("%d frames of the asker were taken for dealt with, want %d", asker.took, requestsMax+4)
	}
}

// The first failure answers a request that asks for that: what a target threw is passed on as it
// is, and where one cannot be asked none is.
func TestRouterFailsFast(t *testing.T) {
	b := newSwitchboard(t, Options{Eval: true}, 3, false)
	asker, other, third := b.wires[0], b.wires[1], b.wires[2]
	packet := `{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"e","script":"1","shards":[1,2],"fail_fast":true}}`
	hop := b.asks(asker, other, packet)
	third.next()
	b.say(other, ipcFrame(`{"op":4,"t":"BROADCAST_EVAL","d":{"event_id":"`+hop+`","result":{"name":"E","message":"m","stack":"s"}}}`))
	asker.gets(t, "thrown", `{"op":4,"t":"BROADCAST_EVAL","d":{"event_id":"e","result":{"name":"E","message":"m","stack":"s"}}}`)
	b.say(third, ipcFrame(`{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"`+hop+`","result":1}}`))
	if late := asker.next(); late != "" {
		t.Errorf("answered twice: %s", late)
	}

	hop = b.asks(asker, other, packet)
	third.next()
	b.say(other, ipcFrame(`{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"`+hop+`","result":1}}`))
	b.root.Send(b.router, connEnded{link: third})
	b.settle()
	asker.gets(t, "gone", `{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"e","result":[1],"clusters":[1],"errors":[{"cluster":2,"error":"it went away before it answered"}]}}`)

	b.say(asker, ipcFrame(packet))
	if asked := other.next(); asked != "" {
		t.Errorf("asked: %s", asked)
	}
	if got := asker.next(); !strings.Contains(got, `"result":[],"clusters":[],"errors":[{"cluster":2,`) {
		t.Errorf("got %s", got)
	}

	b.asks(asker, other, strings.Replace(packet, "[1,2]", "[1,0]", 1))
	asker.next()
	b.root.Send(b.router, connEnded{link: other})
	b.settle()
	asker.gets(t, "gone first", `{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"e","result":[],"clusters":[],"errors":[{"cluster":1,"error":"it went away before it answered"}]}}`)
}

func TestRouterLimitsResults(t *testing.T) {
	b := newSwitchboard(t, Options{Eval: true}, 3, false)
	asker, other, mute := b.wires[0], b.wires[1], b.wires[2]
	result := func(hop string, bytes int) string {
		return ipcFrame(`{"op":0,"t":"REQUEST","d":{"event_id":"` + hop + `","result":"` + strings.Repeat("x", bytes) + `"}}`)
	}
	hop := b.asks(asker, other, `{"op":0,"t":"REQUEST","d":{"event_id":"e","name":"n","shards":[1,0]}}`)
	asker.next() // is asked, too
	b.say(other, result(hop, 5<<20))
	b.say(asker, result(hop, 4<<20))
	if got := asker.next(); !strings.HasSuffix(got, `"],"clusters":[1],"errors":[{"cluster":0,"error":"its result of 4194306 bytes is too much: those of one request have at most 8323072 together"}]}}}`) {
		t.Errorf("answer %.100s … %s", got, got[max(len(got)-300, 0):])
	}
	room := waitMax / (7 << 20)
	for n := range room + 1 { // each waits for the mute instance
		hop := b.asks(asker, other, `{"op":0,"t":"REQUEST","d":{"event_id":"`+fmt.Sprint(n)+`","name":"n","shards":[1,2]}}`)
		b.say(other, result(hop, 7<<20))
	}
	b.root.Send(b.router, connEnded{link: mute})
	b.settle()
	full := 0
	for got := asker.next(); got != ""; got = asker.next() {
		if strings.Contains(got, `{"cluster":1,"error":"its result of 7340034 bytes finds no room: `) {
			full++
		}
	}
	if full != 1 {
		t.Errorf("%d results found no room, want the last one of %d", full, room+1)
	}
	hop = b.asks(asker, other, `{"op":0,"t":"REQUEST","d":{"event_id":"e","name":"n","shards":[1]}}`)
	b.say(other, result(hop, 7<<20))
	if got := asker.next(); !strings.HasSuffix(got, `"],"clusters":[1]}}}`) {
		t.Errorf("after those were answered: %s", got[max(len(got)-300, 0):])
	}
}

// A report of a bot about Discord's REST API goes to all of them.
func TestRouterTellsEmergencies(t *testing.T) {
	b := newSwitchboard(t, Options{}, 2, true)
	for range 60 {
		b.say(b.wires[0], ipcFrame(`{"op":0,"t":"REST_LIMITS_SYNC","d":{"success":true}}`))
	}
	for i, w := range b.wires {
		if got := w.next(); !strings.HasPrefix(got, `{"type":"__DDOO__.MESSAGE","data":{"op":5,"d":{"op":2,"block_until":`) || w.next() != "" {
			t.Errorf("instance %d: %s", i, got)
		}
	}
	b.say(b.wires[1], ipcFrame(`{"op":5,"d":{"op":3,"block_until":1795399580415}}`)) // long ago, or years ahead
	soon := fmt.Sprintf(`{"op":5,"d":{"op":3,"block_until":%d}}`, messages.At(time.Now().Add(emergencyMax/2)))
	b.say(b.wires[1], ipcFrame(strings.Replace(soon, `"op":3`, `"op":1`, 1)))
	for _, w := range b.wires {
		w.gets(t, "an emergency", soon)
	}
}

// One reader stops with 200 MB on the way to it: the memory of CONTROL does not grow, and the
// sender gets errors.
func TestRouterMemoryIsFlat(t *testing.T) {
	all := onRouter(t, 2)
	frame := packet(`{"op":0,"t":"MESSAGE","d":{"event_id":"1","shards":[1],"message":"` + strings.Repeat("x", 64<<10) + `"}}`)
	reported := make(chan int)
	go func() { // the sender gets the errors
		n := 0
		for {
			text, err := all[0].in.ReadSlice(ff)
			if err != nil || strings.Contains(string(text), `"result":[]`) {
				reported <- n
				return
			}
			n++
		}
	}()
	heap := func() int {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	send := func(n int) {
		for range n {
			all[0].write(t, frame)
		}
	}
	send(200) // fills what may be filled
	before := heap()
	send(3000)
	if grown := heap() - before; grown > 8<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	all[0].write(t, packet(`{"op":0,"t":"REQUEST","d":{"event_id":"last","name":"n","shards":[]}}`))
	if n := <-reported; n < 3000 {
		t.Errorf("the sender got %d of 3200 errors", n)
	}
}
