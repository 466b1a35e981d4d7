package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestSend: what is sent waits for READY and for its turn, 100 a minute, and no more wait than
// there is room for.
func TestSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		c := start(t, g, nil)
		if err := c.Send(3, json.RawMessage(`{"n":0}`)); err != nil {
			t.Fatal(err)
		}
		connect := func() *peer {
			p := g.silent()
			p.send(`{"op":10,"d":{"heartbeat_interval":36000000}}`) // no heartbeat within this test
			return p
		}
		p := connect()
		p.expect(opIdentify)
		synctest.Wait()
		want(t, "sent before READY", len(p.in), 0)
		p.send(readyFrame)
		want(t, "first", string(p.expect(3).Data), `{"n":0}`)
		began := time.Now()
		for i := 1; i <= 150; i++ {
			if err := c.Send(8, json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))); err != nil {
				t.Fatal(err)
			}
		}
		for i := 1; i <= 150; i++ {
			want(t, "in order", string(p.expect(8).Data), fmt.Sprintf(`{"n":%d}`, i))
			late := time.Duration(0)
			if i >= 100 {
				late = time.Minute
			}
			want(t, fmt.Sprint("packet ", i, " after"), time.Since(began), late)
			if i == 99 { // the pace is kept over connections
				p.close(4000, "")
				p = connect()
				p.expect(opResume)
				p.send(`{"op":0,"t":"RESUMED","s":2,"d":{}}`)
			}
		}
		p.close(4000, "") // nothing is sent without a connection
		p = g.silent()
		for range sendsMax {
			if err := c.Send(4, nil); err != nil {
				t.Fatal(err)
			}
		}
		want(t, "one too many", c.Send(4, nil), ErrSendsFull)
		want(t, "too long", c.Send(8, json.RawMessage(`"`+strings.Repeat("x", 4096)+`"`)).Error(), "send gateway op 8: 4111 bytes, and Discord takes 4096")
		if err := c.Send(8, json.RawMessage(`{`)); err == nil || errors.Is(err, ErrSendsFull) {
			t.Errorf("what is no JSON is sent: %v", err)
		}
		c.cancel()
		p.ends()
		<-c.ended
	})
}

// TestIdentifyFields: an IDENTIFY has what its user adds, and keeps what is the client's.
func TestIdentifyFields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		c := start(t, g, func(cfg *Config, _ *told) {
			cfg.Identify = func() map[string]json.RawMessage {
				return map[string]json.RawMessage{"presence": json.RawMessage(`{"status":"idle"}`), "token": json.RawMessage(`"other"`)}
			}
		})
		p := g.accept()
		var d struct {
			Token    string
			Presence json.RawMessage
			Shard    [2]int
		}
		if err := json.Unmarshal(p.expect(opIdentify).Data, &d); err != nil || d.Token != "secret" || string(d.Presence) != `{"status":"idle"}` || d.Shard != [2]int{3, 16} {
			t.Errorf("IDENTIFY has %+v (%v)", d, err)
		}
		c.cancel()
		p.ends()
		<-c.ended
	})
}

func TestParse(t *testing.T) {
	kinds := map[string]string{}
	for _, test := range []struct {
		frame string
		want  packet
		bad   bool
	}{
		{`{"t":"MESSAGE_CREATE","s":5,"op":0,"d":{"a": [1, "}"]}}`, packet{Op: 0, Kind: "MESSAGE_CREATE", Seq: 5, Data: json.RawMessage(`{"a": [1, "}"]}`)}, false},
		{`{"op":11,"t":null,"s":null,"d":null}`, packet{Op: 11, Data: json.RawMessage("null")}, false},
		{` { "op" : 9 , "d" : false } `, packet{Op: 9, Data: json.RawMessage("false")}, false},
		{`{"op":"x"}`, packet{}, true}, {`[]`, packet{}, true}, {``, packet{}, true}, {`{"op":`, packet{}, true},
	} {
		frame := []byte(test.frame)
		got, err := parse(frame, kinds)
		clear(frame) // the buffer is used again
		if (err != nil) != test.bad {
			t.Errorf("%s: %v", test.frame, err)
		}
		want(t, test.frame, got, test.want)
	}
	frame := []byte(`{"t":"MESSAGE_CREATE","s":5,"op":0,"d":{}}`)
	if n := testing.AllocsPerRun(100, func() { _, _ = parse(frame, kinds) }); n > 1 {
		t.Errorf("an event costs %v allocations, want that of its data", n)
	}
}
