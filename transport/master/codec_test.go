package master

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/discluster/control/messages"
)

// TestRefused checks the error of each end for frames it cannot accept. The bytes of the first
// block are those with which upstream's MASTER was probed (PROTOCOL A6).
func TestRefused(t *testing.T) {
	const object = `want a JSON object {"d":object,"o":opcode}`
	both := []struct{ name, frame, want string }{
		{"null", `null`, "packet `null`: " + object},
		{"list", `[]`, "packet `[]`: " + object},
		{"number", `5`, "packet `5`: " + object},
		{"text", `"x"`, "packet `\"x\"`: " + object},
		{"truth", `true`, "packet `true`: " + object},
		{"nothing", ``, "packet ``: " + object + ": unexpected end of JSON input"},
		{"no JSON", `{"o":8`, "packet `{\"o\":8`: " + object + ": unexpected end of JSON input"},
		{"binary message", `binary message of 12 bytes`, "packet `binary message of 12 bytes`: " + object + ": invalid character 'b' looking for beginning of value"},
		{"two packets", `{"o":8}{"o":8}`, "packet `{\"o\":8}{\"o\":8}`: " + object + ": invalid character '{' after top-level value"},
		{"broken UTF-8", "{\"o\":8,\"d\":{\"id\":\"\xff\"}}", `packet "{\"o\":8,\"d\":{\"id\":\"\xff\"}}": want UTF-8`},
		{"no opcode", `{}`, "packet `{}`: want \"o\", the opcode"},
		{"opcode under another name", `{"op":8}`, "packet `{\"op\":8}`: want \"o\", the opcode"},
		{"opcode of another case", `{"O":8}`, "packet `{\"O\":8}`: want \"o\", the opcode"},
		{"opcode as text", `{"o":"8"}`, "opcode `\"8\"`: want a whole number of 32 bits"},
		{"opcode null", `{"o":null}`, "opcode `null`: want a whole number of 32 bits"},
		{"opcode with a fraction", `{"o":8.5}`, "opcode `8.5`: want a whole number of 32 bits"},
		{"opcode beyond numbers", `{"o":1e999}`, "opcode `1e999`: want a whole number of 32 bits"},
		{"opcode below", `{"o":-1}`, "unknown opcode -1"},
		{"opcode above", `{"o":13,"d":null}`, "d of opcode 13 `null`: want an object"},
		{"opcode above with data", `{"o":13,"d":{}}`, "unknown opcode 13"},
		{"data null", `{"o":7,"d":null}`, "d of error `null`: want an object"},
		{"data list", `{"o":7,"d":[1]}`, "d of error `[1]`: want an object"},
		{"long", `[` + strings.Repeat("é", 100) + `]`, "packet `[" + strings.Repeat("é", 59) + "`…: " + object + ": invalid character 'Ã' looking for beginning of value"},
		{"token in a broken packet", `{"d":{"token":"hush"`, "packet of 20 bytes with a token: " + object + ": unexpected end of JSON input"},
		{"message no text", `{"o":7,"d":{"message":{}}}`, "error: message as object: want a text"},
	}
	master := []struct{ name, frame, want string }{
		{"CONTROL's info", `{"o":0}`, "unknown opcode 0"},
		{"CONTROL's heartbeat", `{"o":9}`, "unknown opcode 9"},
		{"CONTROL's sessions", `{"o":11}`, "unknown opcode 11"},
		{"no token", `{"o":5,"d":{}}`, "initialise: token missing: want it in every initialise"},
		{"no data", `{"o":5}`, "initialise: token missing: want it in every initialise"},
		{"empty token", `{"o":5,"d":{"token":""}}`, "initialise: token empty: want the bot's token"},
		{"token a number", `{"o":5,"d":{"token":5}}`, "initialise: token as number: want a text"},
		{"heartbeat of a day", `{"o":5,"d":{"token":"t","heartbeat_interval":86400000}}`, "initialise: heartbeat_interval 86400000: want at most 3600000"},
		{"max_concurrency beyond any bot", `{"o":5,"d":{"token":"t","max_concurrency":100001}}`, "initialise: max_concurrency 100001: want at most 100000"},
		{"lease without end", `{"o":5,"d":{"token":"t","lease_ms":9223372036854775807}}`, "initialise: lease_ms 9223372036854775807: want at most 2592000000"},
		{"epoch below zero", `{"o":5,"d":{"token":"t","epoch":-1}}`, "initialise: epoch -1: want at least 0"},
		{"epoch after the last", `{"o":5,"d":{"token":"t","epoch":9007199254740992}}`, "initialise: epoch 9007199254740992: want at most 9007199254740991"},
		{"machine of too many", `{"o":5,"d":{"token":"t","machine":{"index":0,"of":100001}}}`, "initialise: machine.of 100001: want at most 100000"},
		{"permit for a wait without end", `{"o":10,"d":{"id":"7","granted":false,"retry_after_ms":9223372036854775}}`, "permit: retry_after_ms 9223372036854775: want at most 2592000000"},
		{"an error of a book's length", `{"o":7,"d":{"message":"` + strings.Repeat("x", 4097) + `"}}`, "error: message of 4097 bytes: want at most 4096"},
		{"a command with a long name", `{"o":2,"d":{"id":"1","name":"` + strings.Repeat("x", 257) + `"}}`, "command: name of 257 bytes: want at most 256"},
		{"connect with a session beyond any bot", `{"o":6,"d":{"shardRange":[0,1],"sessions":[{"shard":1000000}]}}`, "connect: sessions.shard 1000000: want at most 999999"},
		{"token for data", `{"o":5,"d":"hush"}`, "d of initialise of 6 bytes: want an object"},
		{"heartbeat 0", `{"o":5,"d":{"token":"t","heartbeat_interval":0}}`, "initialise: heartbeat_interval 0: want at least 1"},
		{"heartbeat a text", `{"o":5,"d":{"token":"t","heartbeat_interval":"5"}}`, "initialise: heartbeat_interval as string: want a whole number"},
		{"shard_count 0", `{"o":5,"d":{"token":"t","shard_count":0}}`, "initialise: shard_count 0: want at least 1"},
		{"shard_count with a fraction", `{"o":5,"d":{"token":"t","shard_count":1.5}}`, "initialise: shard_count as number 1.5: want a whole number"},
		{"shard_count over", `{"o":5,"d":{"token":"t","shard_count":1000001}}`, "initialise: shard_count 1000001: want at most 1000000"},
		{"max_concurrency 0", `{"o":5,"d":{"token":"t","max_concurrency":0}}`, "initialise: max_concurrency 0: want at least 1"},
		{"shards_per_cluster 0", `{"o":5,"d":{"token":"t","shards_per_cluster":0}}`, "initialise: shards_per_cluster 0: want at least 1"},
		{"machine of none", `{"o":5,"d":{"token":"t","machine":{"index":0,"of":0}}}`, "initialise: machine.of 0: want at least 1"},
		{"machine over", `{"o":5,"d":{"token":"t","machine":{"index":2,"of":2}}}`, "initialise: machine.index 2: want 0..1"},
		{"machine below", `{"o":5,"d":{"token":"t","machine":{"index":-1,"of":2}}}`, "initialise: machine.index -1: want 0..1"},
		{"lease 0", `{"o":5,"d":{"token":"t","lease_ms":0}}`, "initialise: lease_ms 0: want at least 1"},
		{"connect to nothing", `{"o":6,"d":{"shardRange":[],"redundant":false}}`, "connect: shardRange []: want a range, or redundant true"},
		{"connect without data", `{"o":6}`, "connect: shardRange []: want a range, or redundant true"},
		{"spare with a range", `{"o":6,"d":{"shardRange":[0,9],"redundant":true}}`, "connect: shardRange [0-9]: want [] when redundant is true"},
		{"range of one", `{"o":6,"d":{"shardRange":[3]}}`, "connect: shardRange `[3]`: want [] or [first,last] with 0 <= first <= last < 1000000"},
		{"range of three", `{"o":6,"d":{"shardRange":[1,2,3]}}`, "connect: shardRange `[1,2,3]`: want [] or [first,last] with 0 <= first <= last < 1000000"},
		{"range turned round", `{"o":6,"d":{"shardRange":[9,0]}}`, "connect: shardRange `[9,0]`: want [] or [first,last] with 0 <= first <= last < 1000000"},
		{"range below", `{"o":6,"d":{"shardRange":[-1,0]}}`, "connect: shardRange `[-1,0]`: want [] or [first,last] with 0 <= first <= last < 1000000"},
		{"range beyond any bot", `{"o":6,"d":{"shardRange":[0,1000000]}}`, "connect: shardRange [0,1000000]: want [first,last] with 0 <= first <= last < 1000000"},
		{"redundant a text", `{"o":6,"d":{"redundant":"no"}}`, "connect: redundant as string: want true or false"},
		{"offload nothing", `{"o":3,"d":{"id":"a"}}`, "offload: shardRange missing: want it in every offload"},
		{"offload round", `{"o":3,"d":{"shardRange":[2,1]}}`, "offload: shard range [2 1]: want [first,last] with 0 <= first <= last"},
		{"command without name", `{"o":2,"d":{"id":"a"}}`, "command: name missing: want it in every command"},
		{"ack of nothing", `{"o":8}`, "ack: op missing: want 9: MASTER acks heartbeats alone"},
		{"ack of an order", `{"o":8,"d":{"op":3}}`, "ack: op `3`: want 9: MASTER acks heartbeats alone"},
		{"ack without seq", `{"o":8,"d":{"op":9}}`, "ack: seq missing: want it in every ack"},
		{"permit of unknown answer", `{"o":10,"d":{"id":"7"}}`, "permit: granted missing: want it in every permit"},
		{"permit for no time", `{"o":10,"d":{"id":"7","granted":true}}`, "permit: use_within_ms 0: want at least 1"},
		{"permit in the past", `{"o":10,"d":{"id":"7","granted":false,"retry_after_ms":-1}}`, "permit: retry_after_ms -1: want at least 0"},
	}
	control := []struct{ name, frame, want string }{
		{"MASTER's command", `{"o":2}`, "unknown opcode 2"},
		{"MASTER's initialise", `{"o":5,"d":{"token":"t"}}`, "unknown opcode 5"},
		{"MASTER's connect", `{"o":6}`, "unknown opcode 6"},
		{"info of too many shards", `{"o":0,"d":{"shard_count":1000001}}`, "info: shard_count 1000001: want at most 1000000"},
		{"info of no seat", `{"o":0,"d":{"machine":{"index":2,"of":2}}}`, "info: machine.index 2: want 0..1"},
		{"info with a range round", `{"o":0,"d":{"ranges":[{"range":[5,4]}]}}`, "info: shard range [5 4]: want [first,last] with 0 <= first <= last"},
		{"heartbeat with a range beyond any bot", `{"o":9,"d":{"seq":1,"ranges":[{"range":[0,1000000]}]}}`, "heartbeat: ranges [0,1000000]: want [first,last] with 0 <= first <= last < 1000000"},
		{"cpus beyond any machine", `{"o":0,"d":{"cpus":100001}}`, "info: cpus 100001: want at most 100000"},
		{"weight below zero", `{"o":0,"d":{"weight":-1}}`, "info: weight -1: want at least 0"},
		{"a bucket beyond any bot", `{"o":0,"d":{"last_identify":{"100001":1}}}`, "info: last_identify 100001: want at most 100000"},
		{"a hostname of a book's length", `{"o":0,"d":{"hostname":"` + strings.Repeat("x", 257) + `"}}`, "info: hostname of 257 bytes: want at most 256"},
		{"more clusters than shards", `{"o":9,"d":{"seq":1,"clusters":{"serving":1000001}}}`, "heartbeat: clusters.serving 1000001: want at most 1000000"},
		{"a wait of years", `{"o":10,"d":{"id":"7","shard":1,"waited_ms":9223372036854775807}}`, "permit: waited_ms 9223372036854775807: want at most 31622400000"},
		{"a close code that is none", `{"o":1,"d":{"code":70000,"shards":[0,1]}}`, "fatal: code 70000: want at most 65535"},
		{"gone: a shard below zero", `{"o":11,"d":{"gone":[-1]}}`, "sessions: gone -1: want at least 0"},
		{"load a text", `{"o":0,"d":{"load1":"high"}}`, "info: load1 as string: want a number"},
		{"ranges an object", `{"o":0,"d":{"ranges":{}}}`, "info: ranges as object: want a list"},
		{"clusters a number", `{"o":9,"d":{"seq":1,"clusters":3}}`, "heartbeat: clusters as number: want an object"},
		{"heartbeat without seq", `{"o":9,"d":{}}`, "heartbeat: seq missing: want it in every heartbeat"},
		{"permit for no shard", `{"o":10,"d":{"id":"7"}}`, "permit: shard missing: want it in every permit"},
		{"permit for shard -1", `{"o":10,"d":{"id":"7","shard":-1}}`, "permit: shard -1: want at least 0"},
		{"report of no permit", `{"o":10,"d":{"id":"","sent":true}}`, "permit: id empty: want a text"},
	}
	run := func(name, frame, want string, decode func([]byte) (any, error)) {
		t.Run(name, func(t *testing.T) {
			got, err := decode([]byte(frame))
			if err == nil {
				t.Fatalf("decoded %+v, want an error", got)
			}
			if err.Error() != want {
				t.Errorf("error\n%s, want\n%s", err, want)
			}
		})
	}
	fromMaster := func(b []byte) (any, error) { return DecodeFromMaster(b) }
	fromControl := func(b []byte) (any, error) { return DecodeFromControl(b) }
	for _, c := range both {
		run("master/"+c.name, c.frame, c.want, fromMaster)
		run("control/"+c.name, c.frame, c.want, fromControl)
	}
	for _, c := range master {
		run("master/"+c.name, c.frame, c.want, fromMaster)
	}
	for _, c := range control {
		run("control/"+c.name, c.frame, c.want, fromControl)
	}
}

// TestTolerated checks frames that are read although this project writes them otherwise.
func TestTolerated(t *testing.T) {
	cases := []struct {
		name, frame string
		want        messages.FromControl
	}{
		{"info is opcode 0", `{"o":0}`, messages.Info{}},
		{"opcode as JavaScript may write it", `{"o":8.0}`, messages.Ack{}},
		{"no data", `{"o":1}`, messages.Fatal{}},
		{"unknown fields", `{"o":10,"x":1,"d":{"id":"7","sent":true,"y":[{}]}}`, messages.PermitReport{ID: "7", Sent: true}},
		{"spaces", " {\n\"o\" : 7 , \"d\" : { \"code\" : 1 } } ", messages.MasterError{Code: 1}},
		{"null is absent", `{"o":8,"d":{"ok":null,"shardRange":null}}`, messages.Ack{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := DecodeFromControl([]byte(c.frame))
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("decoded %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
	for _, frame := range []string{`{"o":6,"d":{"redundant":true}}`, `{"o":6,"d":{"redundant":true,"shardRange":null}}`, `{"o":6,"d":{"redundant":true,"shardRange":[ ]}}`} {
		got, err := DecodeFromMaster([]byte(frame))
		if err != nil || !reflect.DeepEqual(got, messages.Connect{Redundant: true}) {
			t.Errorf("%s: decoded %+v, %v; want a spare", frame, got, err)
		}
	}
}

// TestNeverWritten checks what the encoders refuse, so that a mistake of ours ends here and not at
// a peer.
func TestNeverWritten(t *testing.T) {
	cases := []struct {
		name string
		m    messages.FromMaster
		want string
	}{
		{"nothing", nil, "encode <nil>: not a packet of MASTER"},
		{"a pointer", &messages.Shutdown{}, "encode *messages.Shutdown: not a packet of MASTER"},
		{"initialise without token", messages.Initialise{}, "initialise: token empty: want the bot's token"},
		{"connect to nothing", messages.Connect{}, "connect: shardRange []: want a range, or redundant true"},
		{"offload round", messages.Offload{Range: messages.ShardRange{First: 2, Last: 1}}, "offload: shardRange [2,1]: want [first,last] with 0 <= first <= last < 1000000"},
		{"broken args", messages.Command{ID: "a", Name: "b", Args: json.RawMessage("{")}, "encode command: json: error calling MarshalJSON for type json.RawMessage: unexpected end of JSON input"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := EncodeFromMaster(c.m)
			if err == nil || err.Error() != c.want {
				t.Errorf("encoded %s, %v; want %s", got, err, c.want)
			}
		})
	}
	if got, err := EncodeFromControl(nil); err == nil {
		t.Errorf("encoded %s, want an error", got)
	}
}

// TestEncodedPlainly checks that JavaScript would have written the same bytes.
func TestEncodedPlainly(t *testing.T) {
	got, err := EncodeFromControl(messages.MasterError{Message: `<a> & "b"`})
	if want := `{"d":{"code":0,"message":"<a> & \"b\""},"o":7}`; err != nil || string(got) != want {
		t.Errorf("encoded %s, %v; want %s", got, err, want)
	}
	got, err = EncodeFromControl(messages.Info{})
	if want := `{"d":{"hostname":"","version":"","cpus":0,"memory_bytes":0,"load1":0,"epoch":0,"machine":{"index":0,"of":0},"ranges":[],"features":[]},"o":0}`; err != nil || string(got) != want {
		t.Errorf("encoded %s, %v; want %s", got, err, want)
	}
	got, err = EncodeFromControl(messages.Heartbeat{Seq: 1})
	if want := `{"d":{"seq":1,"ranges":[],"clusters":{"serving":0,"starting":0,"failed":0},"shards_ready":0},"o":9}`; err != nil || string(got) != want {
		t.Errorf("encoded %s, %v; want %s", got, err, want)
	}
}

// TestTokenStaysHidden checks that only the frame shows the token.
func TestTokenStaysHidden(t *testing.T) {
	init := messages.Initialise{Token: "hush"}
	frame, err := EncodeFromMaster(init)
	if err != nil || !strings.Contains(string(frame), `"token":"hush"`) {
		t.Fatalf("encoded %s, %v; want the token", frame, err)
	}
	decoded, err := DecodeFromMaster(frame)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(decoded)
	if err != nil {
		t.Fatal(err)
	}
	_, malformed := DecodeFromMaster(frame[:len(frame)-1])
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", decoded, decoded, decoded, decoded), string(asJSON), malformed.Error()} {
		if strings.Contains(text, "hush") {
			t.Errorf("token shown: %s", text)
		}
	}
}

func TestErrorTypes(t *testing.T) {
	_, err := DecodeFromMaster([]byte(`{"o":99}`))
	var unknown *UnknownOpError
	if !errors.As(err, &unknown) || unknown.Op != 99 {
		t.Errorf("%v: want *UnknownOpError of 99", err)
	}
	_, err = DecodeFromMaster([]byte(`{`))
	var malformed *MalformedError
	var syntax *json.SyntaxError
	if !errors.As(err, &malformed) || !errors.As(err, &syntax) {
		t.Errorf("%v: want *MalformedError with its cause", err)
	}
	_, err = DecodeFromMaster([]byte(`{"o":5}`))
	var field *FieldError
	if !errors.As(err, &field) || field.Field != "token" {
		t.Errorf("%v: want *FieldError of token", err)
	}
}
