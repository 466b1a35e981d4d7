package ipc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/discluster/control/messages"
)

// member is one key of an object, and its value as written.
type member struct {
	key   string
	value json.RawMessage
}

// membersOf splits an object as encoding/json does; ok is false for anything else.
func membersOf(text []byte) (all []member, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, false
		}
		all = append(all, member{key.(string), value})
	}
	return all, true
}

// wanted returns what scan has to find, by encoding/json; ok is false where it has to refuse.
func wanted(frame []byte) (found map[string]string, ok bool) {
	if !json.Valid(frame) || !utf8.Valid(frame) {
		return nil, false
	}
	found = map[string]string{}
	top, ok := membersOf(frame)
	note := func(prefix string, m member) bool {
		if _, twice := found[prefix+m.key]; twice {
			return false
		}
		found[prefix+m.key] = string(m.value)
		return true
	}
	for _, m := range top {
		if m.key == "type" && !note("", m) || m.key == "data" && !note("", m) {
			return nil, false
		}
		if m.key != "data" {
			continue
		}
		packet, object := membersOf(m.value)
		if !object {
			return nil, false
		}
		for _, m := range packet {
			if (m.key == "op" || m.key == "t" || m.key == "d") && !note("data.", m) {
				return nil, false
			}
			if m.key != "d" {
				continue
			}
			data, _ := membersOf(m.value)
			for _, m := range data {
				if _, known := fieldOf([]byte(m.key)); known && !note("d.", m) {
					return nil, false
				}
			}
		}
	}
	delete(found, "data")
	return found, ok
}

// fieldNames are the fields, by their keys, for comparing.
var fieldNames = []string{"event_id", "shards", "shard_ids", "shard_id", "op", "serialize", "script", "name", "result", "members", "success", "timeout_ms", "block_until",
	"message", "data", "from", "clusters", "errors", "fail_fast"}

// found returns the values that scan found.
func (g outline) found(frame []byte) map[string]string {
	all := map[string]string{}
	put := func(name string, s span) {
		if s.there() {
			all[name] = string(s.of(frame))
		}
	}
	put("type", g.kind)
	put("data.op", g.op)
	put("data.t", g.t)
	put("data.d", g.d)
	for i, s := range g.fields {
		put("d."+fieldNames[i], s)
	}
	return all
}

func TestFieldNames(t *testing.T) {
	for i, name := range fieldNames {
		if f, ok := fieldOf([]byte(name)); !ok || f != field(i) {
			t.Errorf("%s: field %d, %v", name, f, ok)
		}
	}
	want := int(fieldsN)
	if len(fieldNames) != want {
		t.Errorf("%d names of %d fields", len(fieldNames), want)
	}
}

// tricky are frames that a careless scanner misreads.
var tricky = []string{
	`{"op":0,"t":"MESSAGE","d":{"event_id":"1","message":"\"event_id\":\"2\"","shards":[0]}}`,
	`{"op":0,"t":"MESSAGE","d":{"message":{"event_id":"2","d":{"event_id":"3"}},"event_id":"1","shards":[0]}}`,
	`{"op":0,"t":"MESSAGE","d":{"message":["event_id","2",{"data":{"d":{"event_id":"3"}}}],"event_id":"1","shards":[0]}}`,
	`{"op":0,"t":"MESSAGE","d":{"message":"\\\"event_id\\\":\\","event_id":"1","shards":[]}}`,
	`{"op":0,"t":"MESSAGE","d":{"\u0065vent_id":"1","message":"\ud83d\ude00 é 漢","shards":[ 0 , 1 ]}}`,
	`{"op":0,"t":"MESSAGE","d":{"event_id":"1","event_id":"2","shards":[0]}}`,
	`{"op":0,"t":"MESSAGE","d":{"event_id":"1","event\u005fid":"2","shards":[0]}}`,
	`{"op":0,"op":3,"t":"MESSAGE","d":{"event_id":"1"}}`,
	`{"op":0,"t":"MESSAGE","d":{"event_id":"1"},"d":{"event_id":"2"}}`,
	`{"op":0,"t":"MESSAGE","d":null,"d":{"event_id":"2"}}`,
	`{"d":{"event_id":"a\"b","x":1e400},"t":"MESSAGE","op":0}`,
	`{"op":3,"d":{"event_id":"1","op":0,"shards":[-0,1.5],"serialize":null}}`,
	`{"op":3,"d":[{"event_id":"1"}]}`, `{"op":3,"d":"event_id"}`, `{"op":3}`, `[]`, `null`, `{}`,
	`{"op":0,"t":"X","d":{"a":01}}`, `{"op":0,"t":"X","d":{"a":-}}`, `{"op":0,"t":"X","d":{"a":1.}}`, `{"op":0,"t":"X","d":{"a":1e}}`,
	`{"op":0,"t":"X","d":{"a":tru}}`, `{"op":0,"t":"X","d":{"a":"\x"}}`, `{"op":0,"t":"X","d":{"a":"\u12"}}`, "{\"op\":0,\"t\":\"X\",\"d\":{\"a\":\"\n\"}}",
	`{"op":0,"t":"X","d":{"a":[1,]}}`, `{"op":0,"t":"X","d":{"a":1,}}`, `{"op":0,"t":"X","d":{"a" 1}}`, `{"op":0,"t":"X","d":{a:1}}`,
	`{"op":0,"t":"X","d":{"":{"":[[[{}]]]}}}`,
}

// sameAsJSON compares scan with encoding/json.
func sameAsJSON(t *testing.T, frame []byte) {
	t.Helper()
	var g outline
	err := scan(frame, &g)
	found, ok := wanted(frame)
	switch {
	case ok != (err == nil):
		t.Fatalf("%q: scan returns %v, encoding/json accepts it: %v", frame, err, ok)
	case ok && !reflect.DeepEqual(g.found(frame), found):
		t.Fatalf("%q:\n got %q\nwant %q", frame, g.found(frame), found)
	}
}

func TestLook(t *testing.T) {
	for _, packet := range tricky {
		sameAsJSON(t, wrap(packet))
	}
	for _, frame := range []string{``, ` `, `{}`, `{} x`, `{"data":{}}`, `{"data":1}`, `{"type":1,"type":1}`, `{"data":{},"data":{}}`, "\t{ \"data\" : { \"d\" : { } } }\r\n", "\xff"} {
		sameAsJSON(t, []byte(frame))
	}
	// the packet is inside three objects
	for _, depth := range []int{nestMax - 4, nestMax - 3, nestMax - 2} {
		sameAsJSON(t, wrap(`{"d":{"x":`+strings.Repeat("[", depth)+`1`+strings.Repeat("]", depth)+`}}`))
	}
	for length := range 40 { // every position of the end within eight bytes
		for _, odd := range []string{``, `\"`, "\x1f", `é`, "\x7f", `\u00e9`} {
			sameAsJSON(t, wrap(`{"d":{"event_id":"`+strings.Repeat("x", length)+odd+`yyyyyyyyyy"}}`))
		}
	}
}

func FuzzLook(f *testing.F) {
	seeds(f)
	for _, packet := range tricky {
		f.Add(wrap(packet))
	}
	f.Fuzz(sameAsJSON)
}

// event returns the event_id of a frame by encoding/json, and the rest of the frame without it.
func event(t *testing.T, frame []byte) (id string, rest any) {
	t.Helper()
	v := meaning(t, frame)
	d := v.(map[string]any)["data"].(map[string]any)["d"].(map[string]any)
	id, _ = d["event_id"].(string)
	delete(d, "event_id")
	return id, v
}

// readParcel is Parcel.Read; nil where the frame is not a Parcel.
func readParcel(frame []byte) (*Parcel, error) {
	p := &Parcel{}
	if ours, err := p.Read(frame); !ours {
		return nil, err
	}
	return p, nil
}

// onlyTheEvent checks that SetEvent changes one value and nothing else, and that the parcel's
// fields stay correct.
func onlyTheEvent(t *testing.T, frame []byte) {
	t.Helper()
	p, err := readParcel(bytes.Clone(frame))
	if p == nil {
		if _, typed := err.(*FrameError); err != nil && !typed {
			t.Fatalf("%q: %v is no *FrameError", frame, err)
		}
		return
	}
	if p.Op == messages.IPCEmergency || p.T == messages.TRestLimitsSync {
		return // no answer is possible
	}
	before, rest := event(t, frame)
	var was string
	if err := json.Unmarshal([]byte(`"`+string(p.Event())+`"`), &was); err != nil || was != before {
		t.Fatalf("%q: event %q (%v), want %q", frame, was, err, before)
	}
	result, raw := string(p.Result()), string(p.Event())
	for _, id := range []string{"14386338866709265695994074015643729926", "7"} {
		p.SetEvent(id)
		now, same := event(t, p.Frame())
		if now != id || string(p.Event()) != id || !reflect.DeepEqual(same, rest) || string(p.Result()) != result {
			t.Fatalf("%q: became %q", frame, p.Frame())
		}
	}
	if p.SetEvent(raw); !bytes.Equal(p.Frame(), frame) {
		t.Fatalf("%q: came back as %q", frame, p.Frame())
	}
}

func TestSetEvent(t *testing.T) {
	n := 0
	for _, r := range recordings(t) {
		if p, err := readParcel(bytes.Clone(r.raw)); err == nil && p != nil {
			n++
		}
		onlyTheEvent(t, r.raw)
	}
	if n < 60 {
		t.Errorf("only %d of the recorded frames are parcels", n)
	}
	for _, packet := range tricky {
		onlyTheEvent(t, wrap(packet))
	}
}

func FuzzParcel(f *testing.F) {
	seeds(f)
	for _, packet := range tricky {
		f.Add(wrap(packet))
	}
	f.Fuzz(onlyTheEvent)
}

// The fields of a parcel, by its kind.
func TestParcels(t *testing.T) {
	for _, c := range []struct{ name, packet, want string }{
		{"message", `{"op":0,"t":"MESSAGE","d":{"event_id":"1","message":{"shards":[9]},"shards":[0,1],"from":0}}`, "to clusters [0 1]"},
		{"eval", `{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"1","script":"x","shards":[ 2 ],"context":{}}}`, "to clusters [2]"},
		{"eval answered", `{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"1","result":[0]}}`, "answer [0]"},
		{"eval answered by undefined", `{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"1"}}`, "answer "},
		{"eval failed", `{"op":4,"t":"BROADCAST_EVAL","d":{"event_id":"1","result":{"name":"E"}}}`, `failed answer {"name":"E"}`},
		{"request", `{"op":0,"t":"REQUEST","d":{"event_id":"1","name":"n","shard_ids":[30],"timeout_ms":5}}`, "to shards [30] within 5"},
		{"request answered", `{"op":0,"t":"REQUEST","d":{"event_id":"1","result":1}}`, "answer 1"},
		{"cache", `{"op":3,"d":{"event_id":"1","op":4,"shards":[2,3],"serialize":2}}`, "to shards [2 3] op 4 mode 2"},
		{"cache without mode", `{"op":3,"d":{"event_id":"1","op":6,"shards":[2]}}`, "to shards [2] op 6 mode -1"},
		{"cache answered", `{"op":3,"d":{"event_id":"1","success":true,"result":2}}`, "answer 2, success true"},
		{"cache refused", `{"op":3,"d":{"event_id":"1","success":false}}`, "answer , success false"},
		{"presence", `{"op":0,"t":"PRESENCE_UPDATE","d":{"event_id":"1","presence":{},"shards":[2,3]}}`, "to shards [2 3]"},
		{"members", `{"op":0,"t":"GUILD_MEMBERS_REQUEST","d":{"event_id":"1","shard_id":2,"guild_id":"1"}}`, "to shards [2]"},
		{"members answered", `{"op":0,"t":"GUILD_MEMBERS_REQUEST","d":{"event_id":"1","shard_id":2,"members":[]}}`, "answer "},
		{"restructured", `{"op":0,"t":"RESTRUCTURING","d":{"event_id":"1"}}`, "answer "},
		{"limits", `{"op":0,"t":"REST_LIMITS_SYNC","d":{"success":true}}`, "success true"},
		{"emergency", `{"op":5,"d":{"op":3,"block_until":17}}`, "emergency until 17"},

		{"no list", `{"op":0,"t":"MESSAGE","d":{"event_id":"1","shards":{"from":0,"to":3}}}`, `wrong: shards "{\"from\":0,\"to\":3}": want a list`},
		{"no number", `{"op":0,"t":"MESSAGE","d":{"event_id":"1","shards":[0,"1"]}}`, `wrong: shards: "\"1\"": want whole numbers of at least 0`},
		{"below zero", `{"op":0,"t":"MESSAGE","d":{"event_id":"1","shards":[-1]}}`, `wrong: shards: "-1": want whole numbers of at least 0`},
		{"no shards", `{"op":0,"t":"MESSAGE","d":{"event_id":"1"}}`, `wrong: shards "": want a list`},
		{"no shard", `{"op":0,"t":"GUILD_MEMBERS_REQUEST","d":{"event_id":"1","shard_id":null}}`, `wrong: shard_id "null": want a whole number`},
		{"unknown mode", `{"op":3,"d":{"event_id":"1","op":4,"shards":[2],"serialize":5}}`, `wrong: serialize "5": want 0 to 4`},
		{"time over", `{"op":0,"t":"REQUEST","d":{"event_id":"1","name":"n","shards":[],"timeout_ms":300001}}`, `wrong: timeout_ms "300001": want 1 to 300000`},

		{"no data", `{"op":3}`, `error: read ipc packet (malformed): op 3: d: want an object`},
		{"no event", `{"op":3,"d":{"op":4}}`, `error: read ipc packet (malformed): op 3: event_id "": want a text of 1 to 100 bytes`},
		{"number as event", `{"op":3,"d":{"op":4,"event_id":5}}`, `error: read ipc packet (malformed): op 3: event_id "5": want a text of 1 to 100 bytes`},
		{"not known", `{"op":0,"t":"LATER","d":{"event_id":"1"}}`, `error: read ipc packet (malformed): op 0 "LATER": unknown type`},
		{"emergency without end", `{"op":5,"d":{"op":3}}`, `error: read ipc packet (malformed): op 5: block_until "": want a whole number`},
		{"twice", `{"op":0,"t":"MESSAGE","d":{"event_id":"1","event_id":"1","shards":[]}}`, `error: read ipc packet (not_json): byte 87: duplicate key`},
		{"an opcode of no operation", `{"op":2,"d":{"id":"1","event_id":"1"}}`, "none"},
		{"its own message", `{"op":1,"d":{"id":"1","event_id":"1"}}`, "none"},
	} {
		p, err := readParcel(wrap(c.packet))
		if got := parcelText(p, err); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// parcelText returns the fields of a parcel as a text.
func parcelText(p *Parcel, err error) string {
	switch {
	case err != nil:
		return "error: " + err.Error()
	case p == nil:
		return "none"
	case p.Wrong != nil:
		return "wrong: " + p.Wrong.Error()
	case p.Op == messages.IPCEmergency:
		return fmt.Sprintf("emergency until %d", p.Until)
	case p.T == messages.TRestLimitsSync:
		return fmt.Sprintf("success %v", p.Success)
	case p.Op == messages.IPCError:
		return fmt.Sprintf("failed answer %s", p.Result())
	case p.Answer && p.Op == messages.IPCCacheOperate:
		return fmt.Sprintf("answer %s, success %v", p.Result(), p.Success)
	case p.Answer:
		return fmt.Sprintf("answer %s", p.Result())
	}
	text := fmt.Sprintf("to clusters %v", p.Targets)
	if p.ByShard {
		text = fmt.Sprintf("to shards %v", p.Targets)
	}
	if p.Op == messages.IPCCacheOperate {
		text += fmt.Sprintf(" op %d mode %d", p.CacheOp, p.Serialize)
	}
	if p.TimeoutMS > 0 {
		text += fmt.Sprintf(" within %d", p.TimeoutMS)
	}
	return text
}
