package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/bot"
	"github.com/discluster/control/transport/ipc"
)

// asks asks every cluster for its pid.
func asks(t *testing.T, c *bot.Cluster) (got chan string) {
	got = make(chan string, 1)
	go func() {
		answers, err := bot.Ask[int](t.Context(), c, bot.AllClusters(), "pid", map[string]int{"a": 1})
		got <- fmt.Sprint(answers, err)
	}()
	return got
}

// The SDK behind a host is a cluster as any other: requests and messages, both ways.
func TestBotOnTheSDK(t *testing.T) {
	t.Parallel()
	b := newBehind(t)
	heard, missed := make(chan bot.Message, 1), make(chan bot.Undelivered, 1)
	c := b.joins(
		bot.Handle("pid", func(_ context.Context, r bot.Request) (any, error) {
			return fmt.Sprintf("%s of %s", r.Data, r.From), nil
		}),
		bot.Messages(func(m bot.Message) { heard <- m }), bot.Undeliverable(func(u bot.Undelivered) { missed <- u }))
	if !slices.Equal(c.Shards(), []int{6, 7}) || c.ShardCount() != 10 || c.ID() != 3 || c.Count() != 5 || c.MaxConcurrency() != 2 {
		t.Errorf("shards %v of %d, cluster %d of %d", c.Shards(), c.ShardCount(), c.ID(), c.Count())
	}

	request := `{"op":0,"t":"REQUEST","d":{"event_id":"41","name":%q,"data":[1],"shards":[3],"from":2,"timeout_ms":9000}}`
	for name, want := range map[string]string{
		"pid":  `{"op":0,"t":"REQUEST","d":{"event_id":"41","result":"[1] of 2"}}`,
		"none": `{"op":4,"t":"REQUEST","d":{"event_id":"41","result":{"name":"Error","message":"no handler has the name \"none\""}}}`,
		"host": `{"op":0,"t":"REQUEST","d":{"event_id":"41","result":"the host"}}`,
	} {
		b.control.say(fmt.Sprintf(request, name))
		b.control.hears(want)
	}
	b.control.say(`{"op":0,"t":"MESSAGE","d":{"event_id":"42","message":{"a":1},"shards":[3],"from":2}}`)
	if m := <-heard; m.From != 2 || string(m.Data) != `{"a":1}` {
		t.Errorf("heard %s of %s", m.Data, m.From)
	}

	got := asks(t, c)
	asked := b.control.hears(`{"op":0,"t":"REQUEST","d":{"event_id":"b`)
	if !strings.Contains(asked, `"name":"pid","data":{"a":1},"shards":[0,1,2,3,4],"from":3,"timeout_ms":10000`) {
		t.Errorf("asked %s", asked)
	}
	b.control.say(`{"op":0,"t":"REQUEST","d":{"event_id":"` + eventOf(asked) + `","result":[7],"clusters":[2],"errors":[{"cluster":0,"error":"it is stopped"}]}}`)
	if text := <-got; text != "[{0 0 it is stopped} {2 7 <nil>}] <nil>" {
		t.Error(text)
	}
	event, err := c.Notify(bot.Clusters(0), "hello")
	if err != nil {
		t.Fatal(err)
	}
	told := b.control.hears(`{"op":0,"t":"MESSAGE","d":{"event_id":"b` + string(event) + `","message":"hello","shards":[0],"from":3}}`)
	b.control.say(`{"op":4,"t":"MESSAGE","d":{"event_id":"` + eventOf(told) + `","errors":[{"cluster":0,"error":"it is stopped"}]}}`)
	if u := <-missed; u.Event != event || len(u.Failed) != 1 || u.Failed[0].Err != "it is stopped" {
		t.Errorf("missed %+v, want %s", u, event)
	}

	// the host paces: a permit of the bot never reaches CONTROL
	ran := make(chan error, 1)
	go func() {
		ran <- c.Run(t.Context(), func(ctx context.Context, s *bot.Shard) error {
			p, err := s.Permit(ctx, messages.CauseStart)
			if err != nil {
				return err
			}
			p.Sent()
			s.State(messages.ShardReady, 0)
			<-c.Stopping()
			return nil
		})
	}()
	deadline := time.Now().Add(time.Minute)
	if !b.talk.drain(deadline) {
		t.Error("the bot takes no DRAIN")
	}
	<-c.Stopping()
	if stop := c.Stop(); stop.Final || deadline.Sub(stop.Deadline).Abs() > 30*time.Second {
		t.Errorf("%+v, want %v", stop, deadline)
	}
	if err := <-ran; err != nil {
		t.Error(err)
	}
	b.control.say(fmt.Sprintf(request, "host")) // nothing but its answer came
	b.control.hears(`{"op":0,"t":"REQUEST","d":{"event_id":"41","result":"the host"}}`)
}

// A bot that can resume starts its shards, with nothing to resume.
func TestBotWithSessions(t *testing.T) {
	t.Parallel()
	b := newBehind(t)
	c := b.joins(bot.Resume())
	sessions := make(chan *messages.Session, 2)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() {
		ran <- c.Run(ctx, func(_ context.Context, s *bot.Shard) error { sessions <- s.Session(); <-c.Stopping(); return nil })
	}()
	for range 2 {
		select {
		case s := <-sessions:
			if s != nil {
				t.Errorf("offered %+v", s)
			}
		case <-time.After(soon):
			t.Fatal("its shards wait for sessions")
		}
	}
	cancel()
	<-ran
}

// While CONTROL is away a request of the bot is an error at once, and so is one that it has not
// answered. The next CONTROL takes requests again.
func TestBotWithoutControl(t *testing.T) {
	t.Parallel()
	b := newBehind(t)
	c := b.joins()
	t.Cleanup(func() { _ = c.Fail(errors.New("over")) })
	got := asks(t, c)
	b.control.hears(`{"op":0,"t":"REQUEST","d":{"event_id":"b`)
	b.control.link.Close(0, "")
	began := time.Now()
	if text := <-got; !strings.Contains(text, "CONTROL went away before it answered") {
		t.Error(text)
	}
	if text := <-asks(t, c); !strings.Contains(text, "CONTROL is away") {
		t.Error(text)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("after %v", took)
	}
}

// The next host goes on with the bot: it takes HELLO by the id that the bot knows.
func TestBotOfAnEarlierHost(t *testing.T) {
	t.Parallel()
	b := newBehind(t)
	c := b.joins(bot.Handle("pid", func(context.Context, bot.Request) (any, error) { return 7, nil }))
	t.Cleanup(func() { _ = c.Fail(errors.New("over")) })
	b.end()
	b.begin()
	b.linked()
	b.control.say(`{"op":0,"t":"REQUEST","d":{"event_id":"41","name":"pid","shards":[3],"from":2}}`)
	b.control.hears(`{"op":0,"t":"REQUEST","d":{"event_id":"41","result":7}}`)
	got := asks(t, c)
	event := eventOf(b.control.hears(`{"op":0,"t":"REQUEST","d":{"event_id":"b`))
	b.control.say(`{"op":0,"t":"REQUEST","d":{"event_id":"` + event + `","result":[7],"clusters":[3]}}`)
	if text := <-got; text != "[{3 7 <nil>}] <nil>" {
		t.Error(text)
	}
}

// A bot that does not listen is asked nothing. One that ends owes no answer any more.
func TestBotThatIsNotThere(t *testing.T) {
	t.Parallel()
	b := newBehind(t)
	request := `{"op":0,"t":"REQUEST","d":{"event_id":"%d","name":"pid","shards":[3],"from":2}}`
	b.control.say(fmt.Sprintf(request, 41))
	b.control.hears(`{"op":4,"t":"REQUEST","d":{"event_id":"41","result":{"name":"Error","message":"its bot takes no requests`)
	w := b.bare()
	b.control.say(`{"op":0,"t":"REQUEST","d":{"event_id":"b40","result":[],"clusters":[]}}`) // to nothing that the bot asked
	b.control.say(`{"op":0,"t":"REQUEST","d":{"event_id":"41","name":"discluster.none","shards":[3],"from":2}}`)
	b.control.say(fmt.Sprintf(request, 42))
	b.control.hears(`{"op":4,"t":"REQUEST","d":{"event_id":"41","result":{"name":"Error","message":"no handler has the name`)
	w.hears(fmt.Sprintf(request, 42))
	w.link.Close(0, "")
	b.control.hears(`{"op":4,"t":"REQUEST","d":{"event_id":"42","result":{"name":"Error","message":"its bot went away before it answered"}}}`)
	w = b.bare()
	b.control.say(fmt.Sprintf(request, 43))
	w.say(`{"op":0,"t":"REQUEST","d":{"event_id":"` + eventOf(w.hears(fmt.Sprintf(request, 43))) + `","result":1}}`)
	b.control.hears(`{"op":0,"t":"REQUEST","d":{"event_id":"43","result":1}}`)
}

// Nothing that a bot writes reaches CONTROL but its requests, its messages, and answers that it
// owes; what breaks the rules of the link ends the link alone.
func TestBotThatBreaksRules(t *testing.T) {
	t.Parallel()
	b := newBehind(t)
	w := b.bare()
	const only = `"result":{"name":"Error","message":"a bot behind a gateway host sends REQUEST and MESSAGE alone"}`
	for _, c := range []struct{ says, hears string }{
		{`null`, ""}, {`{"op":99}`, ""}, {`{"op":0,"t":"PERMIT","d":{}}`, ""}, {`{"op":4,"d":{"event_id":"1","error":{"message":"bad"}}}`, ""},
		{`{"op":1,"d":{"id":"1","event_id":"1","features":["sessions","drain"]}}`, ""}, {`{"op":6,"d":{"id":"1"}}`, ""}, {`{"op":0,"t":"DESTROYING","d":{"event_id":"1"}}`, ""},
		{`{"op":0,"t":"CONNECTED","d":{"event_id":"1"}}`, ""}, {`{"op":0,"t":"SHARD","d":{"shard_id":6,"state":"failed","close_code":4014}}`, ""},
		{`{"op":0,"t":"SESSIONS","d":{"gone":[6,7]}}`, ""}, {`{"op":0,"t":"BOT_DIED","d":{"event_id":"1","cause":"x"}}`, ""},
		{`{"op":0,"t":"REQUEST","d":{"event_id":"41","result":"an answer that nobody asked for"}}`, ""},
		{`{"op":4,"t":"REQUEST","d":{"event_id":"41","result":{"message":"nor this one"}}}`, ""},
		{`{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"41","result":1}}`, ""},
		{`{"op":5,"d":{"op":2,"block_until":1795399573673}}`, ""},
		{`{"op":0,"t":"REST_LIMITS_SYNC","d":{"success":true}}`, ""},
		{`{"op":7,"d":{"id":"1","event_id":"h1"}}`, `{"op":7,"d":{"id":"` + string(botManager) + `","event_id":"h1"}}`},
		{`{"op":0,"t":"PERMIT","d":{"event_id":"7","shard_id":6,"cause":"start"}}`, `{"op":0,"t":"PERMIT","d":{"event_id":"7","shard_id":6,"granted":true,"use_within_ms":60000}}`},
		{`{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"8","script":"1","shards":[0]}}`, `{"op":4,"t":"BROADCAST_EVAL","d":{"event_id":"8",` + only + `}}`},
		{`{"op":0,"t":"PRESENCE_UPDATE","d":{"event_id":"8","presence":{},"shards":[0]}}`, `{"op":4,"t":"PRESENCE_UPDATE","d":{"event_id":"8",` + only + `}}`},
		{`{"op":3,"d":{"op":4,"event_id":"8","shards":[0]}}`, `{"op":3,"d":{"event_id":"8","success":false,"error":"a bot behind a gateway host sends`},
		{`{"op":0,"t":"REQUEST","d":{"event_id":"` + strings.Repeat("1", 100) + `","name":"pid","shards":[0]}}`, `{"op":4,"t":"REQUEST","d":{"event_id":"1111`},
		{`{"op":0,"t":"REQUEST","d":{"event_id":"a\u0041","name":"pid","shards":[0]}}`, `{"op":4,"t":"REQUEST","d":{"event_id":"a\u0041","result":{"name":"Error","message":"event_id`},
	} {
		w.say(c.says)
		if c.hears == "" {
			w.say(`{"op":0,"t":"PERMIT","d":{"event_id":"next","shard_id":6,"cause":"start"}}`)
			c.hears = `{"op":0,"t":"PERMIT","d":{"event_id":"next"`
		}
		if heard := w.hears(c.hears); !json.Valid([]byte(heard)) {
			t.Errorf("%s: heard %s", c.says, heard)
		}
	}
	if err := w.link.Send([]byte("no frame of this protocol")); err != nil {
		t.Fatal(err)
	}
	request := `{"op":0,"t":"REQUEST","d":{"event_id":"1","name":"pid","shards":[0],"from":3}}`
	w.say(request)
	b.control.hears(`{"op":0,"t":"REQUEST","d":{"event_id":"b1","name":"pid","shards":[0],"from":3}}`) // the first that CONTROL hears
	w.say(request)
	w.hears(`{"op":4,"t":"REQUEST","d":{"event_id":"1","result":{"name":"Error","message":"event_id \"1\" is that of another open request"}}}`)
	w.link.Close(0, "")

	l, err := net.Listen("unix", b.socket())
	if err != nil {
		t.Fatal(err)
	}
	floods, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if n, err := floods.Write(bytes.Repeat([]byte("x"), 2*ipc.MaxFrame)); err == nil {
		t.Errorf("the host takes a frame of %d bytes", n)
	}
	b.bare().say(strings.Replace(request, `"1"`, `"2"`, 1))
	b.control.hears(`{"op":0,"t":"REQUEST","d":{"event_id":"b2"`)
}

// A bot, and what waits for it, have at most 1,024 open requests.
func TestBotLimits(t *testing.T) {
	t.Parallel()
	b := newBehind(t)
	w := b.bare()
	request := `{"op":0,"t":"REQUEST","d":{"event_id":"%d","name":"pid","shards":[3],"from":2}}`
	for i := range openMax {
		b.control.say(fmt.Sprintf(request, i))
		w.hears(fmt.Sprintf(request, i))
		w.say(fmt.Sprintf(request, i))
		b.control.hears(`{"op":0,"t":"REQUEST","d":{"event_id":"b`)
	}
	b.control.say(fmt.Sprintf(request, openMax))
	b.control.hears(`{"op":4,"t":"REQUEST","d":{"event_id":"1024","result":{"name":"Error","message":"1024 requests wait for its bot`)
	w.say(fmt.Sprintf(request, openMax))
	w.hears(`{"op":4,"t":"REQUEST","d":{"event_id":"1024","result":{"name":"Error","message":"1024 requests of this cluster are unanswered`)
	w.say(`{"op":0,"t":"REQUEST","d":{"event_id":"0","result":1}}`)
	b.control.hears(`{"op":0,"t":"REQUEST","d":{"event_id":"0","result":1}}`)
	b.control.say(fmt.Sprintf(request, openMax))
	w.hears(fmt.Sprintf(request, openMax))
}
