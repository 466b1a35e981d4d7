package ipc

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/discluster/control/messages"
)

// wrap puts a packet into its envelope.
func wrap(packet string) []byte {
	return []byte(`{"type":"__DDOO__.MESSAGE","data":` + packet + `}`)
}

func ptr[T any](v T) *T { return &v }

const aSession = `{"shard":3,"shard_count":16,"session_id":"abc","seq":42,"resume_gateway_url":"wss://g","at":1700000000000}`

var theSession = messages.Session{Shard: 3, ShardCount: 16, SessionID: "abc", Seq: 42, ResumeGatewayURL: "wss://g", At: 1700000000000}

// Both directions of every packet, ours included (PROTOCOL B2): the text decodes to the value, the
// value encodes to the text.
func TestPacketsBothWays(t *testing.T) {
	const instance, manager = false, true
	for _, c := range []struct {
		name        string
		fromManager bool
		packet      string
		want        any
	}{
		{"identify of an SDK bot", instance, `{"op":1,"d":{"id":"1","event_id":"2","protocol":1,"features":["heartbeat","permits"],"sdk":"go/1","pid":7,"intents":513,"state":"serving","shards":[3],"shard_count":16,"sessions":[` + aSession + `]}}`,
			messages.Identify{ID: "1", EventID: "2", Protocol: 1, Features: []string{"heartbeat", "permits"}, SDK: "go/1", PID: 7, Intents: 513, State: "serving", Shards: []int{3}, ShardCount: 16, Sessions: []messages.Session{theSession}}},
		{"failure with a code", instance, `{"op":4,"d":{"event_id":"1","error":{"name":"E","message":"m","code":4004}}}`,
			messages.Failure{EventID: "1", Error: messages.FailureError{Name: "E", Message: "m", Code: 4004}}},
		{"op 4 with t is a failed eval", instance, `{"op":4,"t":"BROADCAST_EVAL","d":{"event_id":"1","result":{"name":"E"}}}`,
			messages.Operation{Op: 4, T: "BROADCAST_EVAL", Data: json.RawMessage(`{"event_id":"1","result":{"name":"E"}}`)}},
		{"invalid session", instance, `{"op":6,"d":{"id":"1"}}`, messages.InvalidSession{ID: "1"}},
		{"beat", instance, `{"op":7,"d":{"id":"1","event_id":"2"}}`, messages.IPCBeat{ID: "1", EventID: "2"}},
		{"beat answered without MASTER", manager, `{"op":7,"d":{"id":"1","event_id":"2","lapsed":true}}`, messages.IPCBeat{ID: "1", EventID: "2", Lapsed: true}},
		{"beat answered", manager, `{"op":7,"d":{"id":"1","event_id":"2","lease_ms":9000}}`, messages.IPCBeat{ID: "1", EventID: "2", LeaseMS: 9000}},
		{"shard", instance, `{"op":0,"t":"SHARD","d":{"shard_id":0,"state":"ready","latency_ms":30,"guilds":0,"events":12}}`,
			messages.ShardStatus{Shard: 0, State: messages.ShardReady, LatencyMS: 30, Guilds: ptr(0), Events: ptr(int64(12))}},
		{"shard behind a host", instance, `{"op":0,"t":"SHARD","d":{"shard_id":3,"state":"ready","waiting":0,"waiting_ms":70000,"guilds_bytes":5000,"events_bytes":3,"events_max_bytes":9000,"deaf_ms":300000}}`,
			messages.ShardStatus{Shard: 3, State: messages.ShardReady, Waiting: ptr(0), WaitingMS: 70000, HostMemory: messages.HostMemory{GuildsBytes: 5000, EventsBytes: 3, EventsMax: 9000}, DeafMS: 300000}},
		{"sessions", instance, `{"op":0,"t":"SESSIONS","d":{"sessions":[` + aSession + `],"gone":[4]}}`,
			messages.InstanceSessions{Sessions: []messages.Session{theSession}, Gone: []int{4}}},
		{"permit asked", instance, `{"op":0,"t":"PERMIT","d":{"event_id":"1","shard_id":0,"cause":"crash"}}`,
			messages.PermitAsk{EventID: "1", Shard: 0, Cause: messages.CauseCrash}},
		{"permit granted", manager, `{"op":0,"t":"PERMIT","d":{"event_id":"1","shard_id":5,"granted":true,"use_within_ms":4000}}`,
			messages.PermitGrant{EventID: "1", Shard: 5, Granted: true, UseWithinMS: 4000}},
		{"permit put off", manager, `{"op":0,"t":"PERMIT","d":{"event_id":"1","shard_id":5,"granted":false,"retry_after_ms":100,"reason":"budget"}}`,
			messages.PermitGrant{EventID: "1", Shard: 5, RetryAfterMS: 100, Reason: "budget"}},
		{"permit used", instance, `{"op":0,"t":"PERMIT","d":{"event_id":"1","shard_id":5,"sent":true}}`, messages.PermitSent{EventID: "1", Shard: 5, Sent: true}},
		{"permit thrown away", instance, `{"op":0,"t":"PERMIT","d":{"event_id":"1","shard_id":5,"sent":false}}`, messages.PermitSent{EventID: "1", Shard: 5}},
		{"reconnect", manager, `{"op":0,"t":"RECONNECT","d":{"event_id":"1","shard_id":0}}`, messages.Reconnect{EventID: "1", Shard: 0}},
		{"drain", manager, `{"op":0,"t":"DRAIN","d":{"event_id":"1","deadline_ms":0}}`, messages.Drain{EventID: "1"}},
		{"drained", instance, `{"op":0,"t":"DRAIN","d":{"event_id":"1","sessions":[` + aSession + `]}}`, messages.Drained{EventID: "1", Sessions: []messages.Session{theSession}}},
		{"death of a child", instance, `{"op":0,"t":"BOT_DIED","d":{"event_id":"1","cause":"exit status 3","tail":"no module\nbye","retry_in_ms":1000}}`,
			messages.ChildDied{EventID: "1", Cause: "exit status 3", Tail: "no module\nbye", RetryInMS: 1000}},
		{"silence of a child", instance, `{"op":0,"t":"BOT_SILENT","d":{"event_id":"1","cause":"no connection"}}`, messages.ChildSilent{EventID: "1", Cause: "no connection"}},
		{"trouble of a child", instance, `{"op":0,"t":"BOT_TROUBLE","d":{"event_id":"1","kind":"dropped","shard_id":0,"events":7,"err":"too many waited"}}`,
			messages.ChildTrouble{EventID: "1", Kind: messages.TroubleDropped, Shard: ptr(0), Events: 7, Err: "too many waited"}},
		{"rolling restart", instance, `{"op":0,"t":"ROLLING_RESTART","d":{"event_id":"1"}}`, messages.Roll{EventID: "1"}},
		{"end of a trouble", instance, `{"op":0,"t":"BOT_TROUBLE","d":{"event_id":"1","kind":"unkept","over":true}}`, messages.ChildTrouble{EventID: "1", Kind: messages.TroubleUnkept, Over: true}},
		{"destroying", manager, `{"op":0,"t":"DESTROYING","d":{"event_id":"1"}}`, messages.Destroying{EventID: "1"}},
		{"hello with everything", manager, `{"op":2,"d":{"id":"1","event_id":"2","heartbeat_interval":5000,"shards":[3],"total_shards":16,"protocol":1,"features":["permits"],"cluster":0,"cluster_count":2,` +
			`"max_concurrency":16,"sessions":[` + aSession + `],"on_lost":"exit","lost_after_ms":25000,"lease_ms":20000,"token":"s3cret"}}`,
			messages.Hello{ID: "1", EventID: "2", HeartbeatIntervalMS: 5000, Shards: []int{3}, TotalShards: 16, Protocol: 1, Features: []string{"permits"}, Cluster: ptr(messages.ClusterID(0)), ClusterCount: 2,
				MaxConcurrency: 16, Sessions: &[]messages.Session{theSession}, OnLost: "exit", LostAfterMS: 25000, LeaseMS: 20000, Token: "s3cret"}},
		{"hello with no session to resume", manager, `{"op":2,"d":{"id":"1","event_id":"2","heartbeat_interval":5000,"shards":[0],"total_shards":1,"sessions":[]}}`,
			messages.Hello{ID: "1", EventID: "2", HeartbeatIntervalMS: 5000, Shards: []int{0}, TotalShards: 1, Sessions: &[]messages.Session{}}},
		{"unknown op", instance, `{"op":99,"t":"X","d":[1,2]}`, messages.Operation{Op: 99, T: "X", Data: json.RawMessage(`[1,2]`)}},
		{"unknown dispatch without data", manager, `{"op":0,"t":"LATER"}`, messages.Operation{Op: 0, T: "LATER"}},
		{"op 0 is a value", instance, `{"op":0,"d":null}`, messages.Operation{Data: json.RawMessage(`null`)}},
		{"raw data is not rewritten", instance, `{"op":3,"d":{"z":1e400,"a":"<&>é\u2028\u003c","n":12345678901234567890.10}}`,
			messages.Operation{Op: 3, Data: json.RawMessage(`{"z":1e400,"a":"<&>é\u2028\u003c","n":12345678901234567890.10}`)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, out, err := again(c.fromManager, wrap(c.packet))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(m, c.want) {
				t.Errorf("decoded\n got %#v\nwant %#v", m, c.want)
			}
			if string(out) != string(wrap(c.packet)) {
				t.Errorf("encoded\n got %s\nwant %s", out, wrap(c.packet))
			}
		})
	}
}

// Values that deliberately differ from their text.
func TestLenientDecode(t *testing.T) {
	for _, c := range []struct {
		name, packet string
		want         messages.FromInstance
	}{
		{"unknown fields", `{"op":0,"t":"CONNECTED","d":{"event_id":"1","later":{}},"x":1}`, messages.Connected{EventID: "1"}},
		{"t decides nothing beside op 1", `{"op":1,"t":"X","d":{"id":"1","event_id":"2"}}`, messages.Identify{ID: "1", EventID: "2"}},
		{"t null", `{"op":4,"t":null,"d":{"event_id":"1","error":{"message":"m"}}}`, messages.Failure{EventID: "1", Error: messages.FailureError{Message: "m"}}},
		{"node's error code is a text", `{"op":4,"d":{"event_id":"1","error":{"name":"E","message":"m","code":"ENOTFOUND"}}}`, messages.Failure{EventID: "1", Error: messages.FailureError{Name: "E", Message: "m"}}},
		{"a text was thrown", `{"op":4,"d":{"event_id":"1","error":"no config"}}`, messages.Failure{EventID: "1", Error: messages.FailureError{Message: "no config"}}},
		{"a number was thrown", `{"op":4,"d":{"event_id":"1","error":7}}`, messages.Failure{EventID: "1", Error: messages.FailureError{Message: "7"}}},
		{"nothing was thrown", `{"op":4,"d":{"event_id":"1"}}`, messages.Failure{EventID: "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if m, err := DecodeFromInstance(wrap(c.packet)); err != nil || !reflect.DeepEqual(m, c.want) {
				t.Errorf("got %#v, %v; want %#v", m, err, c.want)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name        string
		frame       string
		fromManager bool
		fault       Fault
		text        string
	}{
		{"empty", ``, false, NotJSON, "unexpected end"},
		{"broken JSON", `{"type":`, false, NotJSON, "unexpected end"},
		{"two values", `{} {}`, false, NotJSON, "after top-level value"},
		{"broken UTF-8", "{\"type\":\"__DDOO__.MESSAGE\",\"data\":{\"op\":99,\"d\":\"\xff\"}}", false, NotJSON, "UTF-8"},
		{"too deep", strings.Repeat("[", 20000), false, NotJSON, "depth"},
		{"null", `null`, false, Foreign, `type "": want "__DDOO__.MESSAGE"`},
		{"a list", `[]`, false, Foreign, "type"},
		{"foreign type", `{"type":"ack","data":5}`, true, Foreign, `type "ack"`},
		{"data null", string(wrap(`null`)), false, Malformed, "data: missing or null"},
		{"data missing", `{"type":"__DDOO__.MESSAGE"}`, true, Malformed, "data: missing or null"},
		{"data a list", string(wrap(`[]`)), true, Malformed, "array"},
		{"op missing", string(wrap(`{"t":"CONNECTED"}`)), false, Malformed, "op: missing or null"},
		{"op null", string(wrap(`{"op":null}`)), false, Malformed, "op: missing or null"},
		{"op a text", string(wrap(`{"op":"2"}`)), false, Malformed, "string"},
		{"t a number", string(wrap(`{"op":0,"t":5}`)), false, Malformed, "number"},
		{"connected without d", string(wrap(`{"op":0,"t":"CONNECTED"}`)), false, Malformed, `op 0 "CONNECTED": d: missing or null`},
		{"hello with a list", string(wrap(`{"op":2,"d":[]}`)), true, Malformed, "op 2: d: want an object"},
		{"id as a number", string(wrap(`{"op":1,"d":{"id":14386345434600144177235209336163139585}}`)), false, Malformed, "number"},
		{"hello without total", string(wrap(`{"op":2,"d":{"shards":[0]}}`)), true, Malformed, "total_shards 0: want at least 1"},
		{"hello without shards", string(wrap(`{"op":2,"d":{"total_shards":1}}`)), true, Malformed, "shards []: want at least one"},
		{"hello with a negative shard", string(wrap(`{"op":2,"d":{"shards":[-1],"total_shards":1}}`)), true, Malformed, "shards: shard -1: want at least 0"},
		{"hello with a shard over the total", string(wrap(`{"op":2,"d":{"shards":[0,2],"total_shards":2}}`)), true, Malformed, "shards: shard 2: want less than the shard count 2"},
		{"hello with a word of its own", string(wrap(`{"op":2,"d":{"shards":[0],"total_shards":1,"on_lost":"panic"}}`)), true, Malformed, `on_lost "panic": want one of`},
		{"permit without shard", string(wrap(`{"op":0,"t":"PERMIT","d":{"event_id":"1","cause":"start"}}`)), false, Malformed, "shard_id: missing or null"},
		{"report without shard", string(wrap(`{"op":0,"t":"PERMIT","d":{"event_id":"1","sent":true}}`)), false, Malformed, "shard_id: missing or null"},
		{"permit of a long id", string(wrap(`{"op":0,"t":"PERMIT","d":{"event_id":"` + strings.Repeat("1", 257) + `","shard_id":1,"cause":"start"}}`)), false, Malformed, "event_id: 257 bytes: want at most 256"},
		{"session of a long id", string(wrap(`{"op":0,"t":"SESSIONS","d":{"event_id":"1","sessions":[{"shard":1,"shard_count":2,"session_id":"` + strings.Repeat("x", 257) + `","seq":1}]}}`)), false, Malformed, "sessions: shard 1: session_id, resume_gateway_url, user_id or application_id over 256 bytes"},
		{"permit for no reason", string(wrap(`{"op":0,"t":"PERMIT","d":{"event_id":"1","shard_id":1}}`)), false, Malformed, `cause "": want one of`},
		{"grant without granted", string(wrap(`{"op":0,"t":"PERMIT","d":{"event_id":"1","shard_id":1}}`)), true, Malformed, "granted: missing or null"},
		{"shard in an unknown state", string(wrap(`{"op":0,"t":"SHARD","d":{"shard_id":1,"state":"odd"}}`)), false, Malformed, `state "odd": want one of`},
		{"status without shard", string(wrap(`{"op":0,"t":"SHARD","d":{"shard_id":null,"state":"ready"}}`)), false, Malformed, "shard_id: missing or null"},
		{"session without shard", string(wrap(`{"op":0,"t":"SESSIONS","d":{"sessions":[{"shard_count":1,"session_id":"a","seq":1}]}}`)), false, Malformed, "sessions: number 1: shard or seq missing"},
		{"session without count", string(wrap(`{"op":0,"t":"DRAIN","d":{"sessions":[{"shard":1,"session_id":"a","seq":1}]}}`)), false, Malformed, "shard 1: shard_count 0: want at least 1"},
		{"session of a shard too high", string(wrap(`{"op":0,"t":"DRAIN","d":{"sessions":[{"shard":4,"shard_count":4,"session_id":"a","seq":1}]}}`)), false, Malformed, "shard 4: want 0 to 3"},
		{"drain without deadline", string(wrap(`{"op":0,"t":"DRAIN","d":{"event_id":"1"}}`)), true, Malformed, "deadline_ms: missing or null"},
		{"a time without end", string(wrap(`{"op":0,"t":"DRAIN","d":{"event_id":"1","deadline_ms":9223372036854775807}}`)), true, Malformed, "deadline_ms 9223372036854775807: want at most 31622400000"},
		{"a latency of a week", string(wrap(`{"op":0,"t":"SHARD","d":{"shard_id":1,"state":"ready","latency_ms":604800000}}`)), false, Malformed, "latency_ms 604800000: want at most 3600000"},
		{"a shard beyond any bot", string(wrap(`{"op":0,"t":"SESSIONS","d":{"event_id":"1","gone":[1000000]}}`)), false, Malformed, "gone: shard 1000000: want less than 1000000"},
		{"guilds beyond any count", string(wrap(`{"op":0,"t":"SHARD","d":{"shard_id":1,"state":"ready","guilds":9007199254740992}}`)), false, Malformed, "guilds 9007199254740992: want at most 9007199254740991"},
		{"less than no events wait", string(wrap(`{"op":0,"t":"SHARD","d":{"shard_id":1,"state":"ready","waiting":-1}}`)), false, Malformed, "waiting -1: want at least 0"},
		{"events beyond any count wait", string(wrap(`{"op":0,"t":"SHARD","d":{"shard_id":1,"state":"ready","waiting":9007199254740992}}`)), false, Malformed, "waiting 9007199254740992: want at most 9007199254740991"},
		{"a wait without end", string(wrap(`{"op":0,"t":"SHARD","d":{"shard_id":1,"state":"ready","waiting_ms":9223372036854775807}}`)), false, Malformed, "waiting_ms 9223372036854775807: want at most 31622400000"},
		{"a silence without end", string(wrap(`{"op":0,"t":"SHARD","d":{"shard_id":1,"state":"ready","deaf_ms":9223372036854775807}}`)), false, Malformed, "deaf_ms 9223372036854775807: want at most 31622400000"},
		{"a close code that is none", string(wrap(`{"op":0,"t":"SHARD","d":{"shard_id":1,"state":"failed","close_code":70000}}`)), false, Malformed, "close_code 70000: want at most 65535"},
		{"features without end", string(wrap(`{"op":1,"d":{"id":"1","event_id":"1","features":["a"` + strings.Repeat(`,"a"`, 64) + `]}}`)), false, Malformed, "features: 65 texts: want at most 64"},
		{"a time below zero", string(wrap(`{"op":0,"t":"DRAIN","d":{"event_id":"1","deadline_ms":-1}}`)), true, Malformed, "deadline_ms -1: want at least 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _, err := again(c.fromManager, []byte(c.frame))
			f, ok := errors.AsType[*FrameError](err)
			if !ok {
				t.Fatalf("got %#v, %v; want a *FrameError", m, err)
			}
			if f.Fault != c.fault || !strings.Contains(f.Error(), c.text) {
				t.Errorf("got %s: %v; want %s: …%s…", f.Fault, f, c.fault, c.text)
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	hello := messages.Hello{Shards: []int{0}, TotalShards: 1}
	object := json.RawMessage(`{}`)
	for _, c := range []struct {
		name string
		m    any
		text string
	}{
		{"cache operation without d", messages.Operation{Op: messages.IPCCacheOperate}, "the instance would crash"},
		{"cache operation with null", messages.Operation{Op: messages.IPCCacheOperate, Data: json.RawMessage(" null")}, "the instance would crash"},
		{"message without d", messages.Operation{T: "MESSAGE"}, "the instance would crash"},
		{"presence without d", messages.Operation{T: "PRESENCE_UPDATE"}, "the instance would crash"},
		{"hello in disguise", messages.Operation{Op: messages.IPCHello, T: "X", Data: object}, "a message of its own"},
		{"broken raw data", messages.Operation{Op: 99, Data: json.RawMessage(`{`)}, "op 99"},
		{"raw data with broken UTF-8", messages.Operation{Op: 99, Data: json.RawMessage("\"\xff\"")}, "invalid UTF-8"},
		{"hello without shards", messages.Hello{TotalShards: 1}, "shards []: want at least one"},
		{"hello without total", messages.Hello{Shards: []int{0}}, "total_shards 0: want at least 1"},
		{"negative shard", messages.Reconnect{Shard: -1}, "shard_id -1: want at least 0"},
		{"a pointer", &hello, "*messages.Hello is not a message"},
		{"nothing", messages.FromManager(nil), "<nil> is not a message"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _ := c.m.(messages.FromManager)
			if out, err := EncodeFromManager(m); err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %s, %v; want …%s…", out, err, c.text)
			}
		})
	}
	for _, m := range []messages.FromInstance{
		nil, &messages.Connected{}, messages.PermitAsk{}, messages.ShardStatus{}, messages.Operation{T: messages.TConnected, Data: object},
	} {
		if out, err := EncodeFromInstance(m); err == nil {
			t.Errorf("%#v: got %s, want an error", m, out)
		}
	}
}

// A nil list is written as a list: null would mean something else.
func TestNilListsAreWrittenAsLists(t *testing.T) {
	var none []messages.Session
	out, err := EncodeFromManager(messages.Hello{Shards: []int{0}, TotalShards: 1, Sessions: &none})
	if err != nil || !strings.Contains(string(out), `"sessions":[]`) {
		t.Errorf("got %s, %v", out, err)
	}
	out, err = EncodeFromInstance(messages.Drained{EventID: "1"})
	if err != nil || !strings.Contains(string(out), `"sessions":[]`) {
		t.Errorf("got %s, %v", out, err)
	}
}

// Only EncodeFromManager writes the token.
func TestTokenStaysSecret(t *testing.T) {
	hello := messages.Hello{Shards: []int{0}, TotalShards: 1, Token: "s3cret"}
	out, err := EncodeFromManager(hello)
	if err != nil || !strings.Contains(string(out), `"token":"s3cret"`) {
		t.Fatalf("got %s, %v", out, err)
	}
	m, err := DecodeFromManager(out)
	if err != nil || m.(messages.Hello).Token.Reveal() != "s3cret" {
		t.Fatalf("got %v, %v", m, err)
	}
	plain, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	_, broken := EncodeFromManager(messages.Hello{Token: "s3cret"})
	_, unread := DecodeFromManager(wrap(`{"op":2,"d":{"token":"s3cret","shards":"s3cret","id":5}}`))
	for _, seen := range []string{string(plain), fmt.Sprintf("%v %+v %#v", m, m, m), broken.Error(), unread.Error()} {
		if strings.Contains(seen, "s3cret") {
			t.Errorf("token in %s", seen)
		}
	}
}
