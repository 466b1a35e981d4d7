package ipc

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// seeds adds every recorded frame of both directions to a fuzzer: a frame in the wrong direction is
// worth a try too.
func seeds(f *testing.F) {
	for _, r := range recordings(f) {
		f.Add(r.raw)
	}
	for _, packet := range []string{
		`null`, `{"op":0}`, `{"op":4,"d":{"error":5}}`, `{"op":7,"d":{"event_id":"1","lease_ms":5}}`,
		`{"op":0,"t":"SHARD","d":{"shard_id":0,"state":"ready","guilds":5}}`,
		`{"op":0,"t":"SESSIONS","d":{"sessions":[` + aSession + `],"gone":[1]}}`,
		`{"op":0,"t":"PERMIT","d":{"event_id":"1","shard_id":1,"cause":"start"}}`,
		`{"op":0,"t":"PERMIT","d":{"event_id":"1","shard_id":1,"granted":true}}`,
		`{"op":0,"t":"PERMIT","d":{"event_id":"1","shard_id":1,"sent":false}}`,
		`{"op":0,"t":"DRAIN","d":{"event_id":"1","deadline_ms":1,"sessions":null}}`,
		`{"op":2,"d":{"id":"1","shards":[0],"total_shards":1,"sessions":[],"token":"x"}}`,
	} {
		f.Add(wrap(packet))
	}
}

// fixedPoint checks that a decoded frame can be encoded, unless this end may not send it, and that
// it stays the same from then on.
func fixedPoint(t *testing.T, fromManager bool, frame []byte) {
	m, once, err := again(fromManager, frame)
	if m == nil {
		if _, typed := errors.AsType[*FrameError](err); !typed {
			t.Fatalf("%q: %v is no *FrameError", frame, err)
		}
		return
	}
	if err != nil {
		if fromManager && strings.Contains(err.Error(), "the instance would crash") {
			return // it is read and never written
		}
		t.Fatalf("%q: decoded to %#v, which is not encoded: %v", frame, m, err)
	}
	if len(once) == 0 || bytes.IndexByte(once, separator) >= 0 {
		t.Fatalf("%q: encoded to %q, which is no frame", frame, once)
	}
	if _, twice, err := again(fromManager, once); err != nil || !bytes.Equal(once, twice) {
		t.Fatalf("%q:\nonce  %s\ntwice %s (%v)", frame, once, twice, err)
	}
}

func FuzzDecodeFromInstance(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, frame []byte) { fixedPoint(t, false, frame) })
}

func FuzzDecodeFromManager(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, frame []byte) { fixedPoint(t, true, frame) })
}
