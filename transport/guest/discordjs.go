package guest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// discordJS has the messages of discord.js' ShardingManager. They have no number: the answer to a
// script or a property repeats it, so the same script in flight twice has a comment at its end
// the second time.
type discordJS struct{}

func (discordJS) variables(p Place) []string {
	return []string{"SHARDING_MANAGER=true", "SHARDING_MANAGER_MODE=process"}
}

func (discordJS) read(p Place, m fields) Message {
	for _, notice := range []string{"_ready", "_disconnect", "_reconnecting", "_resume"} {
		if len(m) == 1 && m[notice] != nil {
			return Notice{strings.TrimPrefix(notice, "_")}
		}
	}
	if script, is := m.text("_eval"); is {
		return Reply{key: "eval " + script, Outcome: Outcome{m["_result"], readError(m["_error"])}}
	}
	if path, is := m.text("_fetchProp"); is {
		return Reply{key: "read " + path, Outcome: Outcome{m["_result"], readError(m["_error"])}}
	}
	if _, is := m.text("_sEval"); is {
		return discordJSCall(p, m, "_sEval", Question{Script: m["_sEval"]})
	}
	if path, is := m.text("_sFetchProp"); is {
		return discordJSCall(p, m, "_sFetchProp", Question{Path: path})
	}
	if m["_sRespawnAll"] != nil {
		return Call{Respawn: true}
	}
	return Stray{}
}

// discordJSCall returns a call that has the question in the field key, and the shard in another
// one: none is another than null in the answer.
func discordJSCall(p Place, m fields, key string, q Question) Call {
	c := Call{Question: q, To: Targets{All: true}, inOwn: discordJSForms}
	c.echo = append(fmt.Appendf(nil, `"%s":`, key), m[key]...)
	shard, given := m[key+"Shard"]
	if !given {
		return c
	}
	c.echo = append(fmt.Appendf(c.echo, `,"%sShard":`, key), shard...)
	if string(shard) == "null" {
		return c
	}
	id, err := strconv.Atoi(string(shard))
	if err != nil || id < 0 || id >= p.ShardCount {
		e := discordJSError("ShardingShardNotFound", fmt.Sprintf("Shard %s could not be found.", shard))
		c.Refused = &e
	}
	c.To, c.one = Targets{Shards: []int{id}}, true
	return c
}

var discordJSForms = ownedForms{starting: func(Targets, int) Error {
	return discordJSError("ShardingInProcess", "Shards are still being spawned.")
}}

// discordJSError returns an error of discord.js by its code.
func discordJSError(code, message string) Error {
	return plainError("DiscordjsError ["+code+"]", message)
}

func (discordJS) ask(q Question, _ uint64, tries int) (line []byte, key string) {
	if q.Script == nil {
		return append(append([]byte(`{"_fetchProp":`), encode(q.Path)...), '}'), "read " + q.Path
	}
	var script string
	if json.Unmarshal(q.Script, &script) != nil {
		script = string(q.Script)
	}
	mark := ""
	if tries > 0 {
		mark = "/*" + strconv.Itoa(tries) + "*/"
	}
	line = append([]byte(`{"_eval":`), q.Script[:len(q.Script)-1]...)
	return append(append(line, mark...), `"}`...), "eval " + script + mark
}

// objection: discord.js takes an empty path for none, and never answers.
func (discordJS) objection(path string) string {
	if path == "" {
		return "the path of the property is empty"
	}
	return ""
}

func (discordJS) maintain(Maintain) []byte { return nil }
