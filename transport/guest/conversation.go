package guest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Kind is a manager whose guests are understood.
type Kind string

// Kinds of managers; None is that of a bot without one.
const (
	None      Kind = "none"
	DiscordJS Kind = "discordjs" // discord.js' ShardingManager
	Hybrid    Kind = "hybrid"    // discord-hybrid-sharding's ClusterManager
)

// Place is where a bot is in its fleet.
type Place struct {
	Cluster, Clusters int
	Shards            []int
	ShardCount        int
}

// OpenMax limits the questions that a bot has not answered.
const OpenMax = 1024

// Conversation is the state of the talk with one process of a bot. It is not safe for concurrent
// use.
type Conversation struct {
	place Place
	talk  dialect
	open  map[string]*question // by what the bot's answer repeats
	byID  map[uint64]string
	last  uint64
}

// question was asked, and the bot has not answered it.
type question struct {
	askers []uint64 // none: no one waits for the answer any more
	shared bool     // a property, which may be read for several at once
}

// dialect has the messages of one manager.
type dialect interface {
	// variables returns the environment that makes the bot a guest.
	variables(Place) []string
	// read returns what a message of the bot means, nil for nothing.
	read(p Place, m fields) Message
	// ask returns the line of a question, and what the answer repeats. tries counts up until that is
	// no other question's.
	ask(q Question, n uint64, tries int) (line []byte, key string)
	// objection returns why a property cannot be read, or "".
	objection(path string) string
	// maintain returns the line that announces maintenance, nil where there is none.
	maintain(Maintain) []byte
}

// NewConversation begins the talk with a process. salt is text that no earlier talk with it had.
func NewConversation(kind Kind, p Place, salt string) *Conversation {
	return &Conversation{place: p, talk: dialectOf(kind, salt), open: map[string]*question{}, byID: map[uint64]string{}}
}

func dialectOf(kind Kind, salt string) dialect {
	switch kind {
	case DiscordJS:
		return discordJS{}
	case Hybrid:
		return hybrid{salt}
	}
	panic(fmt.Sprintf("guest: no manager is named %q", kind))
}

// channelVariables name node's channel, beside the variable of its number.
const (
	channelVariable = "NODE_CHANNEL_FD"
	modeVariable    = "NODE_CHANNEL_SERIALIZATION_MODE"
)

// Environment returns an environment with the variables that make a bot the guest of a manager, and
// no other's. The channel is file descriptor fd of the bot.
func Environment(env []string, kind Kind, p Place, fd int) []string {
	var kept []string
	for _, kv := range env {
		if name, _, _ := strings.Cut(kv, "="); !switches[name] {
			kept = append(kept, kv)
		}
	}
	kept = append(kept, fmt.Sprintf("%s=%d", channelVariable, fd), modeVariable+"=json")
	return append(kept, dialectOf(kind, "").variables(p)...)
}

// switches are the variables by which a bot takes itself for a manager's process: with two sets
// every eval would run twice.
var switches = map[string]bool{
	"SHARDING_MANAGER": true, "SHARDING_MANAGER_MODE": true, "CLUSTER_MANAGER": true, "CLUSTER_MANAGER_MODE": true, "CLUSTER_QUEUE_MODE": true,
	channelVariable: true, modeVariable: true, "NODE_UNIQUE_ID": true,
}

// Message is the meaning of a line of a bot: Call, Reply, Send, Notice or Stray.
type Message interface{ message() }

// Reply is the bot's answer to questions.
type Reply struct {
	IDs []uint64 // as Ask returned them
	Outcome
	key string
}

// Send is a line that the bot gets at once.
type Send struct{ Line []byte }

// Notice is a report of the bot that has no answer.
type Notice struct{ What string }

// Stray is a message to the program that started the manager, which is gone.
type Stray struct{}

func (Call) message()   {}
func (Reply) message()  {}
func (Send) message()   {}
func (Notice) message() {}
func (Stray) message()  {}

// fields are those of a message.
type fields map[string]json.RawMessage

// text returns a field that is a text.
func (f fields) text(name string) (value string, ok bool) {
	raw := f[name]
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	return value, json.Unmarshal(raw, &value) == nil
}

// Read returns what a line of the bot means, nil for nothing: an empty line, garbage, messages of
// node's own and of what runs the bot.
//
// A call or a reply over LineMax fails. What is no UTF-8 is read as node reads it.
func (c *Conversation) Read(line []byte) Message {
	if !utf8.Valid(line) {
		line = bytes.ToValidUTF8(line, []byte("\uFFFD"))
	}
	got := c.read(line)
	if len(line) <= LineMax {
		return got
	}
	long := Failed(fmt.Errorf("the message has %d bytes: want at most %d", len(line), LineMax))
	switch got := got.(type) {
	case Call:
		got.Refused = &long
		return got
	case Reply:
		got.Outcome = Outcome{Err: &long}
		return got
	}
	return got
}

// read is Read whatever the length of a line of UTF-8.
func (c *Conversation) read(line []byte) Message {
	var m fields
	if json.Unmarshal(line, &m) != nil || m == nil {
		if !json.Valid(line) {
			return nil
		}
		return Stray{} // any value that is not an object
	}
	const internal = "NODE_"
	if cmd, _ := m.text("cmd"); len(cmd) > len(internal) && strings.HasPrefix(cmd, internal) {
		if cmd == "NODE_HANDLE" { // until it is answered, the bot sends nothing more
			return Send{[]byte(`{"cmd":"NODE_HANDLE_NACK"}`)}
		}
		return nil
	}
	got := c.talk.read(c.place, m)
	reply, is := got.(Reply)
	if !is {
		return got
	}
	q := c.open[reply.key]
	if q == nil {
		return nil
	}
	delete(c.open, reply.key)
	reply.IDs = q.askers
	for _, id := range q.askers {
		delete(c.byID, id)
	}
	if len(reply.IDs) == 0 {
		return nil
	}
	return reply
}

// Ask returns the line by which the bot gets a question, and the id that the Reply will have. No
// line: the bot is asked the same already, and answers both at once.
func (c *Conversation) Ask(q Question) (id uint64, line []byte, err *Error) {
	if len(c.open) >= OpenMax && !c.drop() {
		e := plainError("Error", fmt.Sprintf("the bot has %d questions to answer already", OpenMax))
		return 0, nil, &e
	}
	why := ""
	switch _, text := (fields{"": q.Script}).text(""); {
	case q.Script == nil:
		why = c.talk.objection(q.Path)
	case !text:
		why = fmt.Sprintf("the script %.40s is not a text", q.Script)
	}
	if why != "" {
		e := plainError("Error", why)
		return 0, nil, &e
	}
	c.last++
	for tries := 0; ; tries++ {
		line, key := c.talk.ask(q, c.last, tries)
		if len(line) > LineMax {
			e := plainError("Error", fmt.Sprintf("the script has %d bytes: want at most %d", len(line), LineMax))
			return 0, nil, &e
		}
		other := c.open[key]
		switch {
		case other == nil:
			c.open[key] = &question{askers: []uint64{c.last}, shared: q.Script == nil}
		case other.shared:
			other.askers = append(other.askers, c.last)
			line = nil
		default:
			continue
		}
		c.byID[c.last] = key
		return c.last, oneLine(line), nil
	}
}

// Forget ends a wait for an answer. What the answer repeats is not used again until it has come.
func (c *Conversation) Forget(id uint64) {
	key, open := c.byID[id]
	if !open {
		return
	}
	delete(c.byID, id)
	q := c.open[key]
	for i, asker := range q.askers {
		if asker == id {
			q.askers = append(q.askers[:i:i], q.askers[i+1:]...)
		}
	}
}

// drop forgets a question without askers for good.
func (c *Conversation) drop() bool {
	for key, q := range c.open {
		if len(q.askers) == 0 {
			delete(c.open, key)
			return true
		}
	}
	return false
}

// Maintain returns the line that announces maintenance, nil where the bot's manager has none.
func (c *Conversation) Maintain(m Maintain) []byte {
	line := c.talk.maintain(m)
	if line == nil {
		return nil
	}
	return oneLine(line)
}
