package ipc

import (
	"fmt"
	"testing"

	"github.com/discluster/control/messages"
)

func TestMerge(t *testing.T) {
	list := func(texts ...string) (all [][]byte) {
		for _, text := range texts {
			if text == "" {
				all = append(all, nil) // undefined
			} else {
				all = append(all, []byte(text))
			}
		}
		return all
	}
	for _, c := range []struct {
		name    string
		mode    int
		results [][]byte
		want    string // <nil>: nothing
		odd     string
	}{
		{"boolean: one is true", serializeBoolean, list("false", "true"), "true", "[]"},
		{"boolean: none is", serializeBoolean, list("false", ""), "false", "[]"},
		{"boolean: set answers with an object", serializeBoolean, list(`{"app":"[app ]"}`), "false", "[]"},
		{"boolean: no answer", serializeBoolean, nil, "false", "[]"},
		{"array: one", serializeArray, list(`[["k1",{"a":1}]]`), `[["k1",{"a":1}]]`, "[]"},
		{"array: lists are taken apart, once", serializeArray, list(`[1,[2]]`, `[ ]`, ` 3`[1:], "null", `[4 ]`), `[1,[2],3,4]`, "[]"},
		{"array: no answer", serializeArray, nil, `[]`, "[]"},
		{"number: sum", serializeNumber, list("2", "40"), "42", "[]"},
		{"number: with a point", serializeNumber, list("0.5", "1"), "1.5", "[]"},
		{"number: undefined counts for nothing", serializeNumber, list("", "null", "2"), "2", "[]"},
		{"number: something else", serializeNumber, list(`"x"`, "2"), "2", "[0]"},
		{"number: no answer", serializeNumber, nil, "0", "[]"},
		{"any: the first that is something", serializeAny, list("", "null", `{"a":1}`, "2"), `{"a":1}`, "[]"},
		{"any: nothing", serializeAny, list("", "null"), "<nil>", "[]"},
		{"numbers: place by place", serializeNumbers, list("[1,0]", "[2,5]"), "[3,5]", "[]"},
		{"numbers: the first sets the length", serializeNumbers, list("[]", "[1,2]", "[1]", "[0,0,9]"), "[2,2]", "[]"},
		{"numbers: something else", serializeNumbers, list(`[1]`, `["x"]`, `{}`), "[1]", "[1 2]"},
		{"numbers: no answer", serializeNumbers, nil, "[]", "[]"},
		{"none: each for itself", -1, list("", "1", `"a"`), `[null,1,"a"]`, "[]"},
	} {
		merged, odd := Merge(c.mode, c.results)
		got := string(merged)
		if merged == nil {
			got = "<nil>"
		}
		if got != c.want || fmt.Sprint(odd) != c.odd {
			t.Errorf("%s: %s, odd %v; want %s, %s", c.name, got, odd, c.want, c.odd)
		}
	}
}

func TestReplies(t *testing.T) {
	shard := 7
	for _, c := range []struct{ name, got, want string }{
		{"eval", string(Reply{T: messages.TBroadcastEval, Event: []byte("1"), Results: [][]byte{[]byte("0"), []byte("1")}}.Encode()), `{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"1","result":[0,1]}}`},
		{"cache", string(Reply{Op: messages.IPCCacheOperate, Event: []byte("1"), Success: new(true), Result: []byte("4")}.Encode()), `{"op":3,"d":{"event_id":"1","success":true,"result":4}}`},
		{"cache without result", string(Reply{Op: messages.IPCCacheOperate, Event: []byte("1"), Success: new(false)}.Encode()), `{"op":3,"d":{"event_id":"1","success":false}}`},
		{"ours", string(Reply{T: messages.TRequest, Event: []byte("1"), Result: []byte("[5]"), Clusters: []messages.ClusterID{3}, Errors: []TargetError{{Cluster: 4, Err: "it \"died\""}, {Cluster: 9, Shard: &shard, Err: "x"}}}.Encode()),
			`{"op":0,"t":"REQUEST","d":{"event_id":"1","result":[5],"clusters":[3],"errors":[{"cluster":4,"error":"it \"died\""},{"cluster":9,"shard":7,"error":"x"}]}}`},
		{"refusal", string(Refusal(messages.TBroadcastEval, []byte("1"), "no")), `{"op":4,"t":"BROADCAST_EVAL","d":{"event_id":"1","result":{"name":"Error","message":"no"}}}`},
	} {
		if want := string(wrap(c.want)); c.got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, c.got, want)
		}
	}
}
