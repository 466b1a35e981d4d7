package rules

import (
	"testing"
	"time"

	"github.com/discluster/control/transport/discord/guilds"
)

func TestRequest(t *testing.T) {
	asks := func(conn Conn, guild int, whole bool) Request {
		return Request{Conn: conn, Op: 8, Guild: guilds.ID(guild), Whole: whole, Nonce: "n", Answers: []Answer{{"A", 1}, {"B", 2}}}
	}
	intents := func(in Request, bits int64) Request { in.Intents = bits; return in }
	every := asks(1, 0, false) // guild 0: all of the session
	four := []step{            // guilds 1 to 4; shard 1 of 2 has 1 and 3, shard 0 has 2 and 4
		{0, Opened{1}, "hello:1"}, {0, identify(1, 1, 2), "ready:1[1,2] event:1#2=0 event:1#3=0"},
		{0, Opened{2}, "hello:2"}, {0, identify(2, 0, 2), "ready:2[0,2] event:2#2=0 event:2#3=0"},
	}
	play(t, []story{
		{"before a session", Config{Guilds: 4}, []step{{0, Opened{1}, "hello:1"}, {0, asks(1, 1, false), "close:1,4003"}}},
		{"answered on the session that asked", Config{Guilds: 4, MaxConcurrency: 2}, append(four,
			step{0, asks(1, 3, false), "event:1#4=0 event:1#5=0"},
			step{0, asks(1, 3, false), "event:1#6=0 event:1#7=0"})},
		{"for every guild of it", Config{Guilds: 4, MaxConcurrency: 2}, append(four,
			step{0, every, "event:1#4=0 event:1#5=0 event:1#6=0 event:1#7=0"})},
		{"not for another shard's guild, one the bot is not in, or what is no guild", Config{Guilds: 4, MaxConcurrency: 2}, append(four,
			step{0, asks(1, 2, false), ""},
			step{0, asks(1, 5, false), ""},
			step{0, Request{Conn: 1, Guild: guilds.ID(3) + 1, Answers: []Answer{{"A", 1}}}, ""})},
		{"not without the intents", Config{Guilds: 4, MaxConcurrency: 2}, []step{
			{0, Opened{1}, "hello:1"}, {0, Identify{Conn: 1, Token: "good", Shard: 1, ShardCount: 2, Intents: 6}, "ready:1[1,2] event:1#2=0 event:1#3=0"},
			{0, intents(asks(1, 1, false), 3), ""},
			{0, intents(asks(1, 1, false), 2), "event:1#4=0 event:1#5=0"}}},
		{"all members of a guild once in 30 s, by any session; of another guild too", Config{Guilds: 4, MaxConcurrency: 2}, append(four,
			step{0, asks(1, 1, true), "event:1#4=0 event:1#5=0"},
			step{WholeEvery - 1, asks(1, 1, true), "event:1#6=0"}, // RATE_LIMITED
			step{WholeEvery - 1, asks(1, 3, true), "event:1#7=0 event:1#8=0"},
			step{WholeEvery, asks(1, 1, true), "event:1#9=0 event:1#10=0"})},
		{"kept for a RESUME, and not counted", Config{Guilds: 4, MaxConcurrency: 2}, append(four,
			step{0, asks(1, 1, false), "event:1#4=0 event:1#5=0"},
			step{0, Closed{1, 4000}, ""}, step{0, Opened{3}, "hello:3"},
			step{0, resume(3, 1, 4), "event:3#5=0 resumed:3#6"})},
	})
}

func TestRateLimited(t *testing.T) {
	w := newWorld(t, Config{Guilds: 1})
	w.at(0, Opened{1})
	w.at(0, identify(1, 0, 1))
	whole := Request{Conn: 1, Op: 8, Guild: guilds.ID(1), Whole: true, Nonce: "n", Answers: []Answer{{"A", "x"}}}
	first := w.d.Step(noon, whole)[0].(Event)
	if first.Type != "A" || first.Guild != guilds.ID(1) || first.Body != "x" {
		t.Errorf("the answer is %+v", first)
	}
	second := w.d.Step(noon.Add(10*time.Second), whole)[0].(Event)
	if want := `{"opcode":8,"retry_after":20,"meta":{"guild_id":"4194304","nonce":"n"}}`; second.Type != "RATE_LIMITED" || string(second.Data) != want {
		t.Errorf("got %s %s, want RATE_LIMITED %s", second.Type, second.Data, want)
	}
}
