package ipc

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/discluster/control/messages"
)

// A Talk encodes to these bytes, and a Delivery reads the same from them.
func TestTalk(t *testing.T) {
	for _, test := range []struct {
		talk  Talk
		value any
		frame string
		read  Delivery
	}{
		{
			Talk{T: "MESSAGE", Event: "7", Clusters: []int{0, 12}, From: 3}, json.RawMessage(`{"a":"<"}`),
			`{"op":0,"t":"MESSAGE","d":{"event_id":"7","message":{"a":"<"},"shards":[0,12],"from":3}}`,
			Delivery{T: "MESSAGE", Event: "7", Message: []byte(`{"a":"<"}`), Answer: true, From: 3},
		},
		{
			Talk{T: "REQUEST", Event: "8", Name: `pi"d`, Shards: []int{6}, From: 3, TimeoutMS: 9750}, nil,
			`{"op":0,"t":"REQUEST","d":{"event_id":"8","name":"pi\"d","data":null,"shard_ids":[6],"from":3,"timeout_ms":9750}}`,
			Delivery{T: "REQUEST", Event: "8", Name: `pi"d`, Data: []byte("null"), From: 3, TimeoutMS: 9750},
		},
		{
			Talk{T: "REQUEST", Event: "9"}, 42,
			`{"op":0,"t":"REQUEST","d":{"event_id":"9","result":42}}`,
			Delivery{T: "REQUEST", Event: "9", Result: []byte("42"), Answer: true},
		},
		{
			Talk{T: "BROADCAST_EVAL", Event: "8", Shards: []int{6}, From: 3, TimeoutMS: 60000, FailFast: true}, json.RawMessage(`"\ud800 <1>"`),
			`{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"8","script":"\ud800 <1>","shard_ids":[6],"from":3,"timeout_ms":60000,"fail_fast":true}}`,
			Delivery{T: "BROADCAST_EVAL", Event: "8", Script: []byte(`"\ud800 <1>"`), From: 3, TimeoutMS: 60000},
		},
		{
			Talk{T: "BROADCAST_EVAL", Event: "9"}, json.RawMessage(`{"result":"\ud800"}`),
			`{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"9","result":{"result":"\ud800"}}}`,
			Delivery{T: "BROADCAST_EVAL", Event: "9", Result: []byte(`{"result":"\ud800"}`), Answer: true},
		},
		{
			Talk{T: "MESSAGE", Event: "1", Clusters: []int{}}, "",
			`{"op":0,"t":"MESSAGE","d":{"event_id":"1","message":"","shards":[],"from":0}}`,
			Delivery{T: "MESSAGE", Event: "1", Message: []byte(`""`), Answer: true},
		},
	} {
		frame := written(t, test.talk, test.value)
		if !bytes.Equal(frame, wrap(test.frame)) {
			t.Errorf("encoded\n%s, want\n%s", frame, wrap(test.frame))
		}
		var got Delivery
		is, err := got.Read(frame)
		if another := bytes.Replace(frame, []byte(`"event_id":"`+string(got.Event)+`"`), []byte(`"event_id":"b12345"`), 1); !bytes.Equal(got.Renamed(frame, "b12345"), another) {
			t.Errorf("renamed\n%s, want\n%s", got.Renamed(frame, "b12345"), another)
		}
		if got.event = (span{}); !is || err != nil || !reflect.DeepEqual(got, test.read) {
			t.Errorf("%s\nread as %v, %v: %+v, want %+v", frame, is, err, got, test.read)
		}
	}
}

// written returns a copy of the frame of a talk.
func written(t testing.TB, k Talk, value any) (frame []byte) {
	t.Helper()
	if err := k.Write(value, func(f []byte) error { frame = bytes.Clone(f); return nil }); err != nil {
		t.Fatal(err)
	}
	return frame
}

// A value is written as encoding/json does, or not at all.
func TestTalkValue(t *testing.T) {
	long := strings.Repeat("x", 2*pieceSize)
	for _, value := range []any{
		nil, 42, true, []string{"a"}, map[string]any{"a": nil}, [8]byte{}, "", "a", long, "é\U0010ffff\u2028", `a"b`, `a\`, `a\n`, "a\nb", "\f", "a\x80b", long + `"`, long + "\x80",
		json.RawMessage(nil), json.RawMessage("0"), json.RawMessage(` { "a" : [ 1.5e3 , "\n" ] } `), json.RawMessage(`"` + long + `"`),
		json.RawMessage(""), json.RawMessage(" "), json.RawMessage("{"), json.RawMessage("1 2"), json.RawMessage("\"\f\""), json.RawMessage("\f1"), json.RawMessage(`01`), make(chan int),
	} {
		want, wrong := json.Marshal(value)
		var got []byte
		err := Talk{T: messages.TMessage, Event: "1", Clusters: []int{1}}.Write(value, func(frame []byte) error {
			got = bytes.Clone(frame)
			return nil
		})
		if (err != nil) != (wrong != nil) {
			t.Errorf("%.20q: %v, encoding/json: %v", value, err, wrong)
			continue
		}
		if err != nil {
			continue
		}
		var d Delivery
		if is, err := d.Read(got); !is || err != nil || !sameValue(d.Message, want) {
			t.Errorf("%.20q: written as %.200q, encoding/json: %.200q: %v, %v", value, got, want, is, err)
		}
	}
}

func TestDeliveryOfControl(t *testing.T) {
	frame := Reply{T: "REQUEST", Event: []byte("9"), Results: [][]byte{[]byte("1"), nil}, Clusters: []messages.ClusterID{0, 4},
		Errors: []TargetError{{Cluster: 5, Err: "it is starting"}}}.Encode()
	want := Delivery{T: "REQUEST", Event: "9", Answer: true, Result: []byte("[1,null]"), Clusters: []int{0, 4}, Errors: []byte(`[{"cluster":5,"error":"it is starting"}]`)}
	var got Delivery
	is, err := got.Read(frame)
	if got.event = (span{}); !is || err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s\nread as %v, %v: %+v, want %+v", frame, is, err, got, want)
	}
	if is, err := got.Read(Refusal("PRESENCE_UPDATE", []byte("9"), "no")); !is || err != nil || got.Op != messages.IPCError || !got.Answer {
		t.Errorf("a refusal read as %v, %v: %+v", is, err, got)
	}
}

func TestNoDelivery(t *testing.T) {
	for _, packet := range []string{
		`null`, `{}`, `{"op":0}`, `{"op":0,"t":"MESSAGE"}`, `{"op":0,"t":"MESSAGE","d":[]}`, `{"op":2,"d":{"id":"1"}}`, `{"op":0,"t":"PERMIT","d":{"event_id":"1"}}`,
		`{"op":0,"t":"GUILD_MEMBERS_REQUEST","d":{"event_id":"1","shard_id":1}}`, `{"op":4,"d":{"event_id":"1","error":{}}}`, `{"op":0,"t":"PRESENCE_UPDATE","d":{"event_id":"1"}}`,
		`{"op":0.5,"t":"MESSAGE","d":{}}`, `{"op":0,"t":"\u004dESSAGE","d":{}}`, `{"op":7,"t":"MESSAGE","d":{}}`,
	} {
		if is, err := new(Delivery).Read(wrap(packet)); is || err != nil {
			t.Errorf("%s: read as %v, %v", packet, is, err)
		}
	}
	for _, packet := range []string{
		`{"op":0,"t":"MESSAGE","d":{"event_id":1}}`, `{"op":0,"t":"MESSAGE","d":{"from":"x"}}`, `{"op":0,"t":"REQUEST","d":{"event_id":"1","timeout_ms":-1}}`,
		`{"op":0,"t":"REQUEST","d":{"event_id":"1","clusters":[-1]}}`, `{"op":0,"t":"REQUEST","d":{"event_id":"1","name":5}}`,
	} {
		is, err := new(Delivery).Read(wrap(packet))
		if _, typed := errors.AsType[*FrameError](err); !is || !typed {
			t.Errorf("%s: read as %v, %v; want a *FrameError", packet, is, err)
		}
	}
}

// FuzzDelivery compares Read with encoding/json.
func FuzzDelivery(f *testing.F) {
	seeds(f)
	f.Add(written(f, Talk{T: "REQUEST", Event: "8", Name: "pid", Shards: []int{6}, TimeoutMS: 5}, nil))
	f.Add(written(f, Talk{T: "MESSAGE", Event: "8", Clusters: []int{6}}, "é"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		var d Delivery
		if is, err := d.Read(frame); !is || err != nil {
			return
		}
		members := func(of json.RawMessage) (all map[string]json.RawMessage) {
			if err := json.Unmarshal(of, &all); err != nil {
				t.Fatalf("%q: %v", frame, err)
			}
			return all
		}
		data := members(members(frame)["data"])
		fields := members(data["d"])
		for key, got := range map[string]any{"event_id": d.Event, "from": d.From, "name": d.Name} {
			want := fields[key]
			if want == nil || string(want) == "null" || key == "name" && d.Answer {
				continue
			}
			if text, err := json.Marshal(got); err != nil || !sameValue(text, want) {
				t.Fatalf("%q: %s read as %s, by encoding/json %s", frame, key, text, want)
			}
		}
		if !bytes.Equal(d.Message, fields["message"]) {
			t.Fatalf("%q: message read as %s, by encoding/json %s", frame, d.Message, fields["message"])
		}
	})
}

// sameValue reports whether two JSON texts are the same value.
func sameValue(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}
