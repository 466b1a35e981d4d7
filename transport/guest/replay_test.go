package guest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// recorded is a line of the channel between a stock manager and a bot.
type recorded struct {
	Bot     int
	Life    int
	Wrote   bool            // the bot did; else the manager
	Message json.RawMessage // nil: the next process of the bot begins
}

func recordings(t testing.TB, kind Kind) (all []recorded) {
	t.Helper()
	file, err := os.Open("testdata/" + string(kind) + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.Life > 0 { // else it is what the file is
			all = append(all, r)
		}
	}
	return all
}

// replay is a manager of two bots that is made of Conversations.
type replay struct {
	t     *testing.T
	kind  Kind
	place [2]Place
	talks [2]*Conversation
	lives [2]int
	wrote [2][]map[string]any // by us, and not found in the recording so far
	asks  [2]map[uint64]func(Answered)
	nonce map[string]string // of the recording, by ours
	seen  []string          // other messages of the bots
}

func newReplay(t *testing.T, kind Kind) *replay {
	r := &replay{t: t, kind: kind, nonce: map[string]string{}}
	r.place = [2]Place{{Cluster: 0, Clusters: 2, Shards: []int{0}, ShardCount: 2}, {Cluster: 1, Clusters: 2, Shards: []int{1}, ShardCount: 2}}
	if kind == Hybrid {
		r.place = [2]Place{{Cluster: 0, Clusters: 2, Shards: []int{0, 1}, ShardCount: 4}, {Cluster: 1, Clusters: 2, Shards: []int{2, 3}, ShardCount: 4}}
	}
	return r
}

// begin begins the talk with the next process of a bot. A bot that is asked while none runs is
// starting.
func (r *replay) begin(bot, life int) {
	if r.lives[bot] == life {
		return
	}
	open := r.asks[bot]
	r.lives[bot], r.talks[bot], r.asks[bot] = life, NewConversation(r.kind, r.place[bot], fmt.Sprint("s", bot, life)), map[uint64]func(Answered){}
	for _, id := range slices.Sorted(maps.Keys(open)) {
		open[id](Answered{Cluster: bot, Missing: "its bot died before it answered"})
	}
}

// write keeps a line for the recording to have it.
func (r *replay) write(bot int, line []byte) {
	r.t.Helper()
	if line == nil {
		return
	}
	if bytes.IndexByte(line, '\n') >= 0 {
		r.t.Errorf("a line with a line end: %q", line)
	}
	r.wrote[bot] = append(r.wrote[bot], meaning(r.t, line))
}

// meaning reads a line, without the stack of an error.
func meaning(t testing.TB, line []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(line, &m); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	if e, is := m["_error"].(map[string]any); is {
		delete(e, "stack")
	}
	return m
}

// asked returns the bots that a call is for.
func (r *replay) asked(to Targets) (all []int) {
	for bot, p := range r.place {
		if to.All || slices.Contains(to.Clusters, bot) || len(to.Shards) > 0 && slices.Contains(p.Shards, to.Shards[0]) {
			all = append(all, bot)
		}
	}
	return all
}

// said handles a line of a bot.
func (r *replay) said(bot int, line []byte) {
	r.t.Helper()
	switch m := r.talks[bot].Read(line).(type) {
	case Reply:
		for _, id := range m.IDs {
			r.asks[bot][id](Answered{Cluster: bot, Outcome: m.Outcome})
		}
	case Send:
		r.write(bot, m.Line)
	case Notice:
		r.seen = append(r.seen, "notice "+m.What)
	case Stray:
		r.seen = append(r.seen, "stray")
	case Call:
		r.call(bot, m)
	}
}

func (r *replay) call(from int, c Call) {
	r.t.Helper()
	switch {
	case c.Refused != nil:
		r.write(from, c.Fail(*c.Refused))
		return
	case c.Respawn:
		r.seen = append(r.seen, "respawn")
		return
	}
	to := r.asked(c.To)
	if c.Maintain != nil {
		for _, bot := range to {
			r.write(bot, r.talks[bot].Maintain(*c.Maintain))
		}
		return
	}
	if r.talks[1] == nil {
		if some, left := c.Without([]int{1}, 2); left {
			to = r.asked(some)
		} else if slices.Contains(to, 1) {
			r.write(from, c.Answer([]Answered{{Cluster: 1, Missing: Starting}}))
			return
		}
	}
	answers := map[int]Answered{}
	answered := func(a Answered) {
		if answers[a.Cluster] = a; len(answers) < len(to) {
			return
		}
		var all []Answered
		for _, bot := range to {
			all = append(all, answers[bot])
		}
		r.write(from, c.Answer(all))
	}
	for _, bot := range to {
		id, line, bad := r.talks[bot].Ask(c.Question)
		if bad != nil {
			answered(Answered{Cluster: bot, Outcome: Outcome{Err: bad}})
			continue
		}
		r.asks[bot][id] = func(a Answered) { delete(r.asks[bot], id); answered(a) }
		r.write(bot, line)
	}
}

// got compares a line of the stock manager with ours, and reports whether there is one. The nonce
// of a question is another one; its time is the manager's alone.
func (r *replay) got(bot int, line []byte) bool {
	want := meaning(r.t, line)
	if want["options"] != nil {
		want["options"] = map[string]any{}
	}
	for i, m := range r.wrote[bot] {
		ours := m["nonce"]
		if _, question := m["options"]; question || m["maintenance"] != nil || m["_type"] == 12.0 {
			m["nonce"] = want["nonce"]
		}
		if reflect.DeepEqual(m, want) {
			if text, is := ours.(string); is {
				r.nonce[text] = want["nonce"].(string)
			}
			r.wrote[bot] = slices.Delete(r.wrote[bot], i, i+1)
			return true
		}
		if ours != nil {
			m["nonce"] = ours
		} else {
			delete(m, "nonce")
		}
	}
	return false
}

// ours returns a line of a bot as it would answer ours: with our nonce.
func (r *replay) ours(line []byte) []byte {
	for ours, theirs := range r.nonce {
		line = bytes.ReplaceAll(line, []byte(`"`+theirs+`"`), []byte(`"`+ours+`"`))
	}
	return line
}

// asksItself has us ask what the stock manager asked by itself.
func (r *replay) asksItself(bot int, line []byte) bool {
	var m struct {
		Eval      json.RawMessage `json:"_eval"`
		FetchProp *string         `json:"_fetchProp"`
	}
	if json.Unmarshal(line, &m) != nil || m.Eval == nil && m.FetchProp == nil || bytes.Contains(line, []byte("_result")) {
		return false
	}
	q := Question{Script: m.Eval}
	if m.FetchProp != nil {
		q.Path = *m.FetchProp
	}
	id, asks, bad := r.talks[bot].Ask(q)
	if bad != nil {
		return false
	}
	r.asks[bot][id] = func(Answered) { delete(r.asks[bot], id) }
	r.write(bot, asks)
	return r.got(bot, line)
}

// What bots wrote to the stock managers has the same effect on ours, and ours write what those did.
// Where we differ, we do so on purpose.
func TestReplay(t *testing.T) {
	for kind, want := range map[Kind]struct{ missing, more, seen []string }{
		DiscordJS: differsFromShardingManager,
		Hybrid:    differsFromClusterManager,
	} {
		t.Run(string(kind), func(t *testing.T) {
			r := newReplay(t, kind)
			var missing, more []string
			for _, line := range recordings(t, kind) {
				r.begin(line.Bot, line.Life)
				switch {
				case line.Message == nil:
				case line.Wrote:
					r.said(line.Bot, r.ours(line.Message))
				case ofItsProgram(line.Message):
				case !r.got(line.Bot, line.Message) && !r.asksItself(line.Bot, line.Message):
					missing = append(missing, string(line.Message))
				}
			}
			for bot := range r.wrote {
				for _, m := range r.wrote[bot] {
					more = append(more, fmt.Sprintf("%d %s", bot, encode(m)))
				}
			}
			compare(t, "the stock manager alone wrote", missing, want.missing)
			compare(t, "we alone wrote", more, want.more)
			compare(t, "seen", slices.Compact(r.seen), want.seen)
		})
	}
}

// ofItsProgram reports whether a line of the manager comes from the program that made it, or from
// its plugin of heartbeats: we have neither.
func ofItsProgram(line []byte) bool {
	var m struct {
		Type  int `json:"_type"`
		Hello string
	}
	return json.Unmarshal(line, &m) != nil || m.Hello != "" && m.Type != hybridReply || m.Type == 4
}

func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// A cluster that starts is not one that there is not; what is thrown has a message; a script in
// flight is run for each of two calls; a bot that dies, and an empty path, are answered.
var differsFromShardingManager = struct{ missing, more, seen []string }{
	[]string{
		`{"_sEval": "(() => 1)(this, undefined)", "_sEvalShard": 1, "_error": {"name": "DiscordjsError [ShardingShardNotFound]", "message": "Shard 1 could not be found."}}`,
		`{"_sEval": "(() => { throw 'bare'; })(this, undefined)", "_sEvalShard": 1, "_error": {"message": ""}}`,
		`{"_sEval": "(() => globalThis.count = (globalThis.count ?? 0) + 1)(this, undefined)", "_result": [1, 1]}`,
	},
	[]string{
		`0 {"_error":{"message":"Shards are still being spawned.","name":"DiscordjsError [ShardingInProcess]"},"_sEval":"(() => 1)(this, undefined)","_sEvalShard":1}`,
		`0 {"_error":{"message":"the bot threw a value that is not an Error","name":"Error"},"_sEval":"(() => { throw 'bare'; })(this, undefined)","_sEvalShard":1}`,
		`0 {"_eval":"(() => globalThis.count = (globalThis.count ?? 0) + 1)(this, undefined)/*1*/"}`,
		`0 {"_error":{"message":"the path of the property is empty","name":"Error"},"_sFetchProp":""}`,
		`0 {"_error":{"message":"cluster 1: its bot died before it answered","name":"Error"},"_sEval":"(() => 1n)(this, undefined)","_sEvalShard":1}`,
		`0 {"_error":{"message":"cluster 1: its bot died before it answered","name":"Error"},"_sEval":"(() => { const a = {}; a.a = a; return a; })(this, undefined)","_sEvalShard":1}`,
		`0 {"_error":{"message":"cluster 1: its bot died before it answered","name":"Error"},"_sEval":"(() => process.exit(3))(this, undefined)","_sEvalShard":1}`,
		`0 {"_error":{"message":"cluster 0: its bot died before it answered","name":"Error"},"_sEval":"(() => globalThis.count = (globalThis.count ?? 0) + 1)(this, undefined)"}`,
		`1 {"_eval":"(() => globalThis.count = (globalThis.count ?? 0) + 1)(this, undefined)/*1*/"}`,
	},
	[]string{"notice ready", "notice reconnecting", "notice resume", "stray", "respawn", "notice ready"},
}

// There is no code in the manager, and no listener to a request of a bot; what is thrown has a
// message; a bot that dies is answered. Time does not pass here.
var differsFromClusterManager = struct{ missing, more, seen []string }{
	[]string{
		`{"nonce": "mx20nyop0.ztxqjgml25g", "_type": 7, "_error": {"name": "Error", "message": "Promise timed out"}}`,
		`{"nonce": "mx20nz2u0.9qoicb391ng", "_type": 7, "_error": {"message": ""}}`,
		`{"nonce": "mx20nz2y0.7we2lby66so", "_type": 7, "_error": {"name": "Error", "message": "Promise timed out"}}`,
		`{"nonce": "mx20nzha0.g2dlbz5isl7", "_type": 19, "_result": 4}`,
		`{"nonce": "mx20nzhb0.k8bjsddnbzh", "_type": 19, "_result": [2, 7]}`,
		`{"nonce": "mx20nzhc0.tg1v54tonw", "_type": 19, "_error": {"name": "RangeError", "message": "bad"}}`,
		`{"nonce": "mx20nzhc0.tg1v54tonw", "_type": 19}`,
		`{"hello": "reply of the manager", "_type": 3, "nonce": "mx20nzhd0.z75fyxr4qhl", "_result": {"hello": "reply of the manager"}}`,
	},
	[]string{
		`0 {"_error":{"message":"the bot threw a value that is not an Error","name":"Error"},"_type":7,"nonce":"mx20nz2u0.9qoicb391ng"}`,
		`0 {"_error":{"message":"evalOnManager is refused: CONTROL is the manager, and runs no code of bots","name":"Error"},"_type":19,"nonce":"mx20nzha0.g2dlbz5isl7"}`,
		`0 {"_error":{"message":"evalOnManager is refused: CONTROL is the manager, and runs no code of bots","name":"Error"},"_type":19,"nonce":"mx20nzhb0.k8bjsddnbzh"}`,
		`0 {"_error":{"message":"evalOnManager is refused: CONTROL is the manager, and runs no code of bots","name":"Error"},"_type":19,"nonce":"mx20nzhc0.tg1v54tonw"}`,
		`0 {"_error":{"message":"request is refused: CONTROL is the manager, and has no listener of clientRequest","name":"Error"},"_type":3,"nonce":"mx20nzhd0.z75fyxr4qhl"}`,
		`0 {"_error":{"message":"cluster 1: its bot died before it answered","name":"Error"},"_type":7,"nonce":"mx20nyop0.ztxqjgml25g"}`,
		`0 {"_error":{"message":"cluster 1: its bot died before it answered","name":"Error"},"_type":7,"nonce":"mx20nz2y0.7we2lby66so"}`,
		`0 {"_error":{"message":"cluster 1: its bot died before it answered","name":"Error"},"_type":7,"nonce":"mx20nzy60.qcpepwfs9z"}`,
	},
	[]string{"notice ready", "stray", "notice ready", "respawn", "notice ready"},
}
