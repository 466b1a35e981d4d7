package guest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var somePlace = Place{Cluster: 1, Clusters: 3, Shards: []int{2, 3}, ShardCount: 6}

// A bot gets the variables of one manager, whatever its host has.
func TestEnvironment(t *testing.T) {
	host := []string{"PATH=/bin", "SHARDING_MANAGER=1", "CLUSTER_MANAGER_MODE=worker", "NODE_CHANNEL_FD=9", "NODE_UNIQUE_ID=4", "SHARDS=[2,3]", "CLUSTER=old"}
	for kind, want := range map[Kind][]string{
		DiscordJS: {"PATH=/bin", "SHARDS=[2,3]", "CLUSTER=old", "NODE_CHANNEL_FD=3", "NODE_CHANNEL_SERIALIZATION_MODE=json", "SHARDING_MANAGER=true", "SHARDING_MANAGER_MODE=process"},
		Hybrid: {"PATH=/bin", "SHARDS=[2,3]", "CLUSTER=old", "NODE_CHANNEL_FD=3", "NODE_CHANNEL_SERIALIZATION_MODE=json", "CLUSTER_MANAGER=true", "CLUSTER_MANAGER_MODE=process",
			"CLUSTER_QUEUE_MODE=manual", "MAINTENANCE=undefined", "CLUSTER=1", "CLUSTER_COUNT=3", "SHARD_LIST=2,3", "TOTAL_SHARDS=6"},
	} {
		if got := Environment(host, kind, somePlace, 3); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", kind, got, want)
		}
	}
}

// The same script in flight twice has a mark, and each answer goes to its own question; a property
// is read once for both. The script stays as its sender wrote it.
func TestSameQuestionTwice(t *testing.T) {
	c := NewConversation(DiscordJS, somePlace, "")
	script := Question{Script: json.RawMessage(`"'\ud800 <'"`)}
	ask := func(q Question, want string) uint64 {
		t.Helper()
		id, line, err := c.Ask(q)
		if string(line) != want || err != nil {
			t.Errorf("asks by %s, %v; want %s", line, err, want)
		}
		return id
	}
	answer := func(line string, ids ...uint64) {
		t.Helper()
		got, _ := c.Read([]byte(line)).(Reply)
		if !slices.Equal(got.IDs, ids) {
			t.Errorf("%s answers %v, want %v", line, got.IDs, ids)
		}
	}
	first := ask(script, `{"_eval":"'\ud800 <'"}`)
	second := ask(script, `{"_eval":"'\ud800 <'/*1*/"}`)
	answer(`{"_eval":"'\ud800 <'/*1*/","_result":2}`, second)
	third := ask(script, `{"_eval":"'\ud800 <'/*1*/"}`)
	answer(`{"_eval":"'\ud800 <'","_result":1}`, first)
	answer(`{"_eval":"'\ud800 <'","_result":1}`)
	answer(`{"_eval":"'\ud800 <'/*1*/"}`, third)
	path := Question{Path: "guilds.cache.size"}
	a, b := ask(path, `{"_fetchProp":"guilds.cache.size"}`), ask(path, "")
	answer(`{"_fetchProp":"guilds.cache.size","_result":3}`, a, b)
	answer(`{"_fetchProp":"guilds.cache.size","_result":3}`)
}

// A question whose asker has given up keeps its script until the answer has come.
func TestForget(t *testing.T) {
	c := NewConversation(DiscordJS, somePlace, "")
	q := Question{Script: json.RawMessage(`"1"`)}
	id, _, _ := c.Ask(q)
	c.Forget(id)
	c.Forget(id)
	id, line, _ := c.Ask(q)
	if string(line) != `{"_eval":"1/*1*/"}` {
		t.Errorf("asks by %s", line)
	}
	if got := c.Read([]byte(`{"_eval":"1","_result":1}`)); got != nil {
		t.Errorf("the late answer is one: %+v", got)
	}
	if got, _ := c.Read([]byte(`{"_eval":"1/*1*/","_result":1}`)).(Reply); !slices.Equal(got.IDs, []uint64{id}) {
		t.Errorf("answers %v", got.IDs)
	}
}

// The questions that a bot has not answered are limited; those whose askers have given up make
// room.
func TestOpenMax(t *testing.T) {
	for _, kind := range []Kind{DiscordJS, Hybrid} {
		c := NewConversation(kind, somePlace, "s")
		var last uint64
		for i := range OpenMax {
			id, _, err := c.Ask(Question{Script: json.RawMessage(fmt.Sprintf(`"%d"`, i))})
			if err != nil {
				t.Fatalf("%s: question %d: %v", kind, i, err)
			}
			last = id
		}
		if _, _, err := c.Ask(Question{Script: json.RawMessage(`"more"`)}); err == nil || !strings.Contains(err.Message, "1024") {
			t.Errorf("%s: one more: %v", kind, err)
		}
		c.Forget(last)
		if _, _, err := c.Ask(Question{Script: json.RawMessage(`"more"`)}); err != nil {
			t.Errorf("%s: with room: %v", kind, err)
		}
	}
}

// A property is never a script: evals may be switched off.
func TestObjections(t *testing.T) {
	for path, good := range map[string][2]bool{ // for discord.js, hybrid
		"guilds.cache.size": {true, true}, "$a._b9": {true, true}, "": {false, false}, "a-b": {true, false}, "constructor.constructor('process.exit()')()": {true, false},
		"a;b": {true, false}, "a.": {true, false}, "a\n.b": {true, false}, "0": {true, false},
	} {
		for i, kind := range []Kind{DiscordJS, Hybrid} {
			_, line, err := NewConversation(kind, somePlace, "s").Ask(Question{Path: path})
			if (err == nil) != good[i] {
				t.Errorf("%s, %q: %v", kind, path, err)
			}
			if err == nil && kind == Hybrid && !strings.Contains(string(line), `"_eval":"this.`+path+`"`) {
				t.Errorf("%q: asks by %s", path, line)
			}
		}
	}
	if _, _, err := NewConversation(DiscordJS, somePlace, "").Ask(Question{Script: json.RawMessage(`{"a":1}`)}); err == nil {
		t.Error("a script that is no text is sent")
	}
}

// Lines that are no messages mean nothing; a file that is passed is refused at once, because the
// bot sends nothing until then.
func TestOddLines(t *testing.T) {
	for _, kind := range []Kind{DiscordJS, Hybrid} {
		c := NewConversation(kind, somePlace, "s")
		for line, want := range map[string]Message{
			"": nil, " ": nil, "{": nil, `{"a":1}}`: nil, `"_result":1}`: nil, "nul": nil, "{}\x00": nil,
			`{"cmd":"NODE_MINE"}`: nil, `{"cmd":"NODE_HANDLE_ACK"}`: nil, `{"cmd":"NODE_HANDLE","type":"net.Server"}`: Send{[]byte(`{"cmd":"NODE_HANDLE_NACK"}`)},
			"null": Stray{}, `"text"`: Stray{}, "[1]": Stray{}, "1": Stray{}, "{}": Stray{}, `{"cmd":"NODE_"}`: Stray{}, `{"watch:require":["/app"]}`: Stray{},
		} {
			if got := c.Read([]byte(line)); !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %q: %+v, want %+v", kind, line, got, want)
			}
		}
	}
}

// The clusters that a call names, and errors in the form of its manager.
func TestTargets(t *testing.T) {
	refused := func(name, message string) *Error { e := plainError(name, message); return &e }
	notFound := func(shard string) *Error {
		return refused("DiscordjsError [ShardingShardNotFound]", "Shard "+shard+" could not be found.")
	}
	for _, tc := range []struct {
		kind    Kind
		line    string
		want    Targets
		refused *Error
	}{
		{DiscordJS, `{"_sEval":"1"}`, Targets{All: true}, nil},
		{DiscordJS, `{"_sEval":"1","_sEvalShard":null}`, Targets{All: true}, nil},
		{DiscordJS, `{"_sEval":"1","_sEvalShard":5}`, Targets{Shards: []int{5}}, nil},
		{DiscordJS, `{"_sFetchProp":"a","_sFetchPropShard":0}`, Targets{Shards: []int{0}}, nil},
		{DiscordJS, `{"_sEval":"1","_sEvalShard":6}`, Targets{}, notFound("6")},
		{DiscordJS, `{"_sEval":"1","_sEvalShard":-1}`, Targets{}, notFound("-1")},
		{DiscordJS, `{"_sEval":"1","_sEvalShard":"2"}`, Targets{}, notFound(`"2"`)},
		{Hybrid, `{"_type":6,"nonce":"n","_eval":"1"}`, Targets{All: true}, nil},
		{Hybrid, `{"_type":6,"nonce":"n","_eval":"1","options":{"cluster":null}}`, Targets{All: true}, nil},
		{Hybrid, `{"_type":6,"nonce":"n","_eval":"1","options":{"cluster":2}}`, Targets{Clusters: []int{2}}, nil},
		{Hybrid, `{"_type":6,"nonce":"n","_eval":"1","options":{"cluster":[2,0,9,2]}}`, Targets{Clusters: []int{0, 2}}, nil},
		{Hybrid, `{"_type":6,"nonce":"n","_eval":"1","options":{"cluster":[9]}}`, Targets{}, refused("Error", "CLUSTERING_NO_CLUSTERS_FOUND")},
		{Hybrid, `{"_type":6,"nonce":"n","_eval":"1","options":{"cluster":3}}`, Targets{}, refused("Error", "CLUSTERING_CLUSTER_NOT_FOUND FOR ClusterId: 3")},
		{Hybrid, `{"_type":6,"nonce":"n","_eval":"1","options":{"shard":3,"cluster":0}}`, Targets{Shards: []int{3}}, nil},
		{Hybrid, `{"_type":6,"nonce":"n","_eval":"1","options":{"shard":[3]}}`, Targets{All: true}, nil},
		{Hybrid, `{"_type":6,"nonce":"n","_eval":"1","options":{"shard":6}}`, Targets{All: true}, nil},
		{Hybrid, `{"_type":6,"nonce":"n","_eval":"1","options":{"shard":-2}}`, Targets{}, refused("RangeError", "SHARD_ID_OUT_OF_RANGE")},
		{Hybrid, `{"_type":6,"nonce":"n","_eval":"1","options":{"guildId":"8388609","shard":0}}`, Targets{Shards: []int{2}}, nil},
		{Hybrid, `{"_type":6,"nonce":"n","_eval":5}`, Targets{All: true}, refused("TypeError", "ClUSTERING_INVALID_EVAL_BROADCAST")},
		{Hybrid, `{"_type":18,"nonce":"n","_eval":"1"}`, Targets{}, refused("Error", "evalOnManager is refused: CONTROL is the manager, and runs no code of bots")},
		{Hybrid, `{"_type":1,"nonce":"n","a":1}`, Targets{}, refused("Error", "request is refused: CONTROL is the manager, and has no listener of clientRequest")},
	} {
		got, is := NewConversation(tc.kind, somePlace, "s").Read([]byte(tc.line)).(Call)
		if !is || !reflect.DeepEqual(got.Refused, tc.refused) || tc.refused == nil && !reflect.DeepEqual(got.To, tc.want) {
			t.Errorf("%s: to %+v, refused %+v; want %+v, %+v", tc.line, got.To, got.Refused, tc.want, tc.refused)
		}
	}
}

// A read of a plain path is no eval in either dialect; anything else is one.
func TestReads(t *testing.T) {
	for script, path := range map[string]string{"this.guilds.cache.size": "guilds.cache.size", "this.a": "a", "this": "", "this.a()": "", "this.a;": "", " this.a": "", "this.a + 1": "", "this.a.0": ""} {
		c := NewConversation(Hybrid, somePlace, "s").Read(encode(map[string]any{"_type": 6, "nonce": "n", "_eval": script})).(Call)
		if (c.Script == nil) != (path != "") || c.Path != path {
			t.Errorf("%s: reads %q, runs %s", script, c.Path, c.Script)
		}
	}
	c := NewConversation(Hybrid, somePlace, "s").Read([]byte(`{"_type":6,"nonce":"n","_eval":"1","options":{"timeout":300}}`)).(Call)
	if c.Within != 1300*time.Millisecond {
		t.Errorf("within %v", c.Within)
	}
}

// An answer is a list in the order of the clusters, or the value alone; undefined is null in a
// list, and no field alone; the first error is the call's.
func TestAnswers(t *testing.T) {
	results := func(raw ...string) (all []Answered) {
		for i, r := range raw {
			a := Answered{Cluster: i, Outcome: Outcome{Result: json.RawMessage(r)}}
			if r == "" {
				a.Result = nil
			}
			all = append(all, a)
		}
		return all
	}
	failed := append(results("1", "2"), Answered{Cluster: 2, Outcome: Outcome{Err: &Error{"RangeError", "bad", "s"}}}, Answered{Cluster: 3, Missing: "it died"})
	starting := append(results("1"), Answered{Cluster: 1, Missing: Starting})
	for _, tc := range []struct {
		kind         Kind
		line, answer string
		all          []Answered
	}{
		{DiscordJS, `{"_sEval":"\ud800"}`, `{"_sEval":"\ud800","_result":["\ud800",null]}`, results(`"\ud800"`, "")},
		{DiscordJS, `{"_sEval":"1","_sEvalShard":null}`, `{"_sEval":"1","_sEvalShard":null,"_result":[]}`, nil},
		{DiscordJS, `{"_sEval":"1","_sEvalShard":1}`, `{"_sEval":"1","_sEvalShard":1,"_result":[ 1]}`, results("[\n1]")},
		{DiscordJS, `{"_sEval":"1","_sEvalShard":1}`, `{"_sEval":"1","_sEvalShard":1}`, results("")},
		{DiscordJS, `{"_sFetchProp":"a"}`, `{"_sFetchProp":"a","_error":{"name":"RangeError","message":"bad","stack":"s"}}`, failed},
		{DiscordJS, `{"_sFetchProp":"a"}`, `{"_sFetchProp":"a","_error":{"name":"Error","message":"cluster 3: it died","stack":"Error: cluster 3: it died\n    at CONTROL"}}`, failed[3:]},
		{DiscordJS, `{"_sEval":"1"}`, `{"_sEval":"1","_error":{"name":"DiscordjsError [ShardingInProcess]","message":"Shards are still being spawned.",` +
			`"stack":"DiscordjsError [ShardingInProcess]: Shards are still being spawned.\n    at CONTROL"}}`, starting},
		{Hybrid, `{"_type":6,"nonce":"n","_eval":"1","options":{"cluster":1}}`, `{"nonce":"n","_type":7,"_result":[null]}`, results("")},
		{Hybrid, `{"_type":6,"nonce":"n","_eval":"1","options":{"cluster":1}}`, `{"nonce":"n","_type":7,"_error":{"name":"Error","message":"CLUSTERING_CLUSTER_NOT_FOUND FOR ClusterId: 1",` +
			`"stack":"Error: CLUSTERING_CLUSTER_NOT_FOUND FOR ClusterId: 1\n    at CONTROL"}}`, starting[1:]},
		{DiscordJS, `{"_sRespawnAll":{"timeout":null}}`, ``, nil},
	} {
		c, is := NewConversation(tc.kind, somePlace, "s").Read([]byte(tc.line)).(Call)
		if got := c.Answer(tc.all); !is || string(got) != tc.answer {
			t.Errorf("%s:\n got %s\nwant %s", tc.line, got, tc.answer)
		}
	}
	for line, want := range map[string]bool{`{"_type":6,"nonce":"n","_eval":"1"}`: true, `{"_type":6,"nonce":"n","_eval":"1","options":{"cluster":[0,1]}}`: false} {
		c := NewConversation(Hybrid, somePlace, "s").Read([]byte(line)).(Call)
		to, left := c.Without([]int{1}, 3)
		if left != want || want && !slices.Equal(to.Clusters, []int{0, 2}) {
			t.Errorf("%s: asks %+v, %v", line, to, left)
		}
		if _, left := c.Without([]int{0, 1, 2}, 3); left {
			t.Errorf("%s: asks no clusters", line)
		}
	}
	c := NewConversation(DiscordJS, somePlace, "").Read([]byte(`{"_sEval":"1"}`)).(Call)
	large := json.RawMessage(`"` + strings.Repeat("x", LineMax/2) + `"`)
	if got := string(c.Answer(results(string(large), string(large)))); !strings.Contains(got, "want at most 8388608 together") {
		t.Errorf("%.200s", got)
	}
}

// What is thrown has a name, a message and a stack.
func TestErrors(t *testing.T) {
	for raw, want := range map[string]*Error{
		"": nil, "null": nil,
		`{"name":"RangeError","message":"bad","stack":"at x"}`: {"RangeError", "bad", "at x"},
		`{"name":"E","message":""}`:                            {"E", "", "E: \n    at CONTROL"},
		`{}`:                                                   {"Error", "the bot threw a value that is not an Error", "Error: the bot threw a value that is not an Error\n    at CONTROL"},
		`"text"`:                                               {"Error", `"text"`, "Error: \"text\"\n    at CONTROL"},
		`{"message":7}`:                                        {"Error", "the bot threw a value that is not an Error", "Error: the bot threw a value that is not an Error\n    at CONTROL"},
	} {
		var text json.RawMessage
		if raw != "" {
			text = json.RawMessage(raw)
		}
		if got := readError(text); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", raw, got, want)
		}
	}
}

// fuzzed has a line of a bot read, and checks all that may be written after it.
func fuzzed(f *testing.F, kind Kind) {
	for _, r := range recordings(f, kind) {
		if r.Wrote {
			f.Add([]byte(r.Message))
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		check := func(line []byte) {
			if line != nil && (!json.Valid(line) || strings.ContainsAny(string(line), "\n\r")) {
				t.Errorf("%q is no line", line)
			}
		}
		c := NewConversation(kind, somePlace, "s")
		switch m := c.Read(line).(type) {
		case Send:
			check(m.Line)
		case Call:
			if m.Refused != nil {
				check(m.Fail(*m.Refused))
				return
			}
			check(m.Answer([]Answered{{Outcome: Outcome{Result: json.RawMessage("1")}}}))
			check(m.Answer([]Answered{{Missing: Starting}}))
			if m.Maintain != nil {
				check(c.Maintain(*m.Maintain))
				return
			}
			if _, asks, err := c.Ask(m.Question); err == nil {
				check(asks)
			}
		}
	})
}

func FuzzDiscordJS(f *testing.F) { fuzzed(f, DiscordJS) }
func FuzzHybrid(f *testing.F)    { fuzzed(f, Hybrid) }

// A call or a result that is too long to be passed on fails, in the form that its sender expects.
func TestLongMessages(t *testing.T) {
	long := strings.Repeat("x", LineMax)
	for kind, call := range map[Kind]string{
		DiscordJS: `{"_sEval":"` + long + `"}`,
		Hybrid:    `{"_eval":"` + long + `","options":{},"_type":6,"nonce":"n"}`,
	} {
		c := NewConversation(kind, somePlace, "salt")
		got, is := c.Read([]byte(call)).(Call)
		if !is || got.Refused == nil || !strings.Contains(got.Refused.Message, fmt.Sprintf("%d bytes: want at most %d", len(call), LineMax)) {
			t.Fatalf("%s: a call of %d bytes: %t, %v", kind, len(call), is, got.Refused)
		}
		if kept := kind == DiscordJS; strings.Contains(string(got.Fail(*got.Refused)), long) != kept {
			t.Errorf("%s: the error repeats the script: %t", kind, !kept)
		}
		id, line, _ := c.Ask(Question{Script: json.RawMessage(`"1"`)})
		answer := strings.TrimSuffix(strings.Replace(string(line), `"_type":16`, `"_type":17`, 1), "}") + `,"_result":"` + long + `"}`
		reply, is := c.Read([]byte(answer)).(Reply)
		if !is || !slices.Equal(reply.IDs, []uint64{id}) || reply.Err == nil || reply.Result != nil {
			t.Errorf("%s: a result of %d bytes: %t, %v, %v", kind, len(answer), is, reply.IDs, reply.Err)
		}
	}
}

// What is no UTF-8 is read as node reads it: no packet of CONTROL could carry it.
func TestNoUTF8(t *testing.T) {
	c := NewConversation(DiscordJS, somePlace, "")
	if _, _, err := c.Ask(Question{Script: json.RawMessage(`"1"`)}); err != nil {
		t.Fatal(err)
	}
	got, _ := c.Read([]byte("{\"_eval\":\"1\",\"_result\":\"\xff\"}")).(Reply)
	if want := "\"\uFFFD\""; string(got.Result) != want {
		t.Errorf("result %q, want %q", got.Result, want)
	}
}
