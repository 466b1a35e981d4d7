package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
)

// operation returns the only packet that the cluster sent since the last call, as an operation.
func (l *control) operation() (op messages.Operation) {
	l.t.Helper()
	sent := l.heard()
	if len(sent) != 1 {
		l.t.Fatalf("cluster sent %q, want one operation", sent)
	}
	_, text, _ := strings.Cut(sent[0], " ")
	if err := json.Unmarshal([]byte(text), &op); err != nil {
		l.t.Fatalf("%s: %v", text, err)
	}
	return op
}

// eventOf returns the event_id of an operation, and its data without it.
func eventOf(t *testing.T, op messages.Operation) (event, rest string) {
	t.Helper()
	var d map[string]json.RawMessage
	if err := json.Unmarshal(op.Data, &d); err != nil {
		t.Fatalf("%s: %v", op.Data, err)
	}
	if err := json.Unmarshal(d["event_id"], &event); err != nil || event == "" {
		t.Fatalf("%s: event_id: %v", op.Data, err)
	}
	delete(d, "event_id")
	text, _ := json.Marshal(d)
	return event, string(text)
}

func request(op messages.IPCOp, t, data string) messages.Operation {
	return messages.Operation{Op: op, T: t, Data: json.RawMessage(data)}
}

func TestNotify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c, l := join(t, w, hello(), nil)
		for _, test := range []struct {
			to   Targets
			want string
		}{
			{AllClusters(), `{"from":3,"message":{"a":1},"shards":[0,1,2,3,4,5,6,7]}`},
			{Clusters(5, 3), `{"from":3,"message":{"a":1},"shards":[5,3]}`},
			{OwnersOf(c.ShardOf(25165824)), `{"from":3,"message":{"a":1},"shard_ids":[6]}`},
			{Targets{}, `{"from":3,"message":{"a":1},"shards":[]}`},
		} {
			id, err := c.Notify(test.to, map[string]int{"a": 1})
			op := l.operation()
			event, rest := eventOf(t, op)
			want(t, "Notify", err, nil)
			want(t, "event", messages.Snowflake(event), id)
			want(t, "packet", op.T+rest, "MESSAGE"+test.want)
		}
		if _, err := c.Notify(AllClusters(), make(chan int)); err == nil || !strings.HasPrefix(err.Error(), "notify: json: unsupported type") {
			t.Errorf("a message that is no JSON: %v", err)
		}
		if err := c.Send(request(0, "PRESENCE_UPDATE", `{"event_id":"1","presence":{},"shards":[6]}`)); err != nil {
			t.Errorf("Send: %v", err)
		}
		want(t, "packet", l.operation().T, "PRESENCE_UPDATE")
		l.send(request(4, "MESSAGE", `{"event_id":"1","errors":[{"cluster":5,"error":"it is starting"}]}`))
		if log := w.log.String(); !strings.Contains(log, "did not reach every cluster") || !strings.Contains(log, "it is starting") {
			t.Errorf("log: %s", log)
		}
		l.hangUp(errors.New("bye"))
		synctest.Wait()
		if _, err := c.Notify(AllClusters(), 1); !errors.Is(err, ErrAway) {
			t.Errorf("without CONTROL: %v", err)
		}
		c.finish(w.back(hello()))
		if _, err := c.Notify(AllClusters(), 1); !errors.Is(err, ErrStopping) {
			t.Errorf("at the end: %v", err)
		}
	})
}

// back dials as another CONTROL.
func (w *world) back(h messages.Hello) *control {
	l := w.dial()
	l.send(h)
	return l
}

func TestMessagesAndUndeliverable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var heard []string
		hold := make(chan struct{})
		c, l := join(t, w, hello(), nil,
			Messages(func(m Message) { <-hold; heard = append(heard, fmt.Sprintf("%d %s", m.From, m.Data)) }),
			Undeliverable(func(u Undelivered) { heard = append(heard, fmt.Sprintf("%s: %v", u.Event, u.Failed)) }))
		for i := range inboxMax + 3 { // one is being handled
			l.send(request(0, "MESSAGE", fmt.Sprintf(`{"event_id":"1","message":%d,"from":5,"shards":[3]}`, i)))
		}
		if log := w.log.String(); strings.Count(log, "are dropped") != 1 {
			t.Errorf("log: %s", log)
		}
		close(hold)
		synctest.Wait()
		l.send(request(0, "MESSAGE", `{"event_id":"1","message":"hi","from":1111111111}`))
		l.send(request(4, "MESSAGE", `{"event_id":"8","errors":[{"cluster":5,"error":"gone"}]}`))
		l.send(request(4, "MESSAGE", `{"event_id":"9","result":{"name":"Error","message":"no"}}`))
		want(t, "messages", len(heard), inboxMax+1+3)
		want(t, "first and last", []string{heard[0], heard[inboxMax], heard[inboxMax+1], heard[inboxMax+2], heard[inboxMax+3]},
			[]string{"5 0", "5 1024", `1111111111 "hi"`, "8: [{5 <nil> gone}]", "9: [{1111111111 <nil> no}]"})
		if log := w.log.String(); !strings.Contains(log, "were dropped") || !strings.Contains(log, "messages=2") {
			t.Errorf("log: %s", log)
		}
		c.finish(l)
	})
}

// asks runs Ask beside the test.
func asks(ctx context.Context, c *Cluster, to Targets, name string) <-chan string {
	done := make(chan string, 1)
	go func() {
		answers, err := Ask[int](ctx, c, to, name, map[string]int{"n": 1})
		done <- fmt.Sprintf("%v %v", answers, err)
	}()
	return done
}

func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c, l := join(t, w, hello(), nil)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		for _, test := range []struct{ name, op, answer, want string }{
			{"all", "0", `"result":[7,8],"clusters":[5,2]`, "[{2 8 <nil>} {5 7 <nil>}] <nil>"},
			{"partial", "0", `"result":[7],"clusters":[5],"errors":[{"cluster":2,"error":"it died"}]`, "[{2 0 it died} {5 7 <nil>}] <nil>"},
			{"another type", "0", `"result":["x"],"clusters":[5]`, "[{5 0 its answer is not a int: json: cannot unmarshal string into Go value of type int}] <nil>"},
			{"refused", "4", `"result":{"name":"Error","message":"too many"}`, "[] ask n: CONTROL refused: too many"},
		} {
			done := asks(ctx, c.Cluster, Clusters(5, 2), "n")
			op := l.operation()
			event, rest := eventOf(t, op)
			want(t, "packet", op.T+rest, `REQUEST{"data":{"n":1},"from":3,"name":"n","shards":[5,2],"timeout_ms":2750}`)
			code := messages.IPCOp(test.op[0] - '0')
			l.send(request(code, "REQUEST", `{"event_id":"other","result":[]}`)) // not ours
			l.send(request(code, "REQUEST", `{"event_id":"`+event+`",`+test.answer+`}`))
			want(t, test.name, <-done, test.want)
		}

		done := asks(ctx, c.Cluster, AllClusters(), "n")
		want(t, "the deadline", <-done, "[] ask n: context deadline exceeded")
		want(t, "time", time.Since(w.from), 3*time.Second)
		done = asks(t.Context(), c.Cluster, AllClusters(), "n")
		want(t, "CONTROL does not answer", <-done, "[] ask n: CONTROL did not answer within 12s")
		done = asks(t.Context(), c.Cluster, AllClusters(), "n")
		synctest.Wait()
		l.hangUp(errors.New("bye"))
		want(t, "CONTROL goes", <-done, "[] ask n: CONTROL is away")
		want(t, "CONTROL is away", <-asks(t.Context(), c.Cluster, AllClusters(), "n"), "[] ask n: CONTROL is away")
		want(t, "left", len(c.requests), 0)
		c.finish(w.back(hello()))
		want(t, "at the end", <-asks(t.Context(), c.Cluster, AllClusters(), "n"), "[] ask n: cluster is stopping")
	})
}

func TestHandle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hold := make(chan struct{})
		c, l := join(t, w, hello(), nil,
			Handle("double", func(_ context.Context, r Request) (any, error) {
				var n int
				err := json.Unmarshal(r.Data, &n)
				return 2 * n, err
			}),
			Handle("panics", func(context.Context, Request) (any, error) { panic("the secret is out") }),
			Handle("no JSON", func(context.Context, Request) (any, error) { return make(chan int), nil }),
			Handle("large", func(context.Context, Request) (any, error) { return strings.Repeat("x", 9<<20), nil }),
			Handle("late", func(ctx context.Context, _ Request) (any, error) { <-ctx.Done(); return nil, ctx.Err() }),
			Handle("holds", func(context.Context, Request) (any, error) { <-hold; return nil, nil }))
		for _, test := range []struct{ name, data, want string }{
			{"double", `21`, `0{"result":42}`},
			{"double", `"x"`, `4{"result":{"name":"Error","message":"json: cannot unmarshal string into Go value of type int"}}`},
			{"unknown", `1`, `4{"result":{"name":"Error","message":"no handler has the name \"unknown\""}}`},
			{"panics", `1`, `4{"result":{"name":"Error","message":"its handler panicked: the [redacted] is out"}}`},
			{"no JSON", `1`, `4{"result":{"name":"Error","message":"its answer cannot be sent: json: unsupported type: chan int"}}`},
			{"large", `1`, `4{"result":{"name":"Error","message":"its answer cannot be sent: frame over the size limit"}}`},
			{"late", `1`, `4{"result":{"name":"Error","message":"context deadline exceeded"}}`},
			{"discluster.stats", `null`, `0{"result":[{"shard_id":6,"state":"idle"},{"shard_id":7,"state":"idle"}]}`},
		} {
			l.send(request(0, "REQUEST", `{"event_id":"1","name":"`+test.name+`","data":`+test.data+`,"from":5,"shards":[3],"timeout_ms":500}`))
			if test.name == "late" {
				time.Sleep(500 * time.Millisecond)
			}
			op := l.operation()
			_, rest := eventOf(t, op)
			want(t, test.name, fmt.Sprint(int(op.Op))+rest, test.want)
		}
		for range handlersMax {
			l.send(request(0, "REQUEST", `{"event_id":"1","name":"holds","shards":[3]}`))
		}
		l.send(request(0, "REQUEST", `{"event_id":"1","name":"double","shards":[3]}`))
		_, rest := eventOf(t, l.operation())
		want(t, "too many", rest, `{"result":{"name":"Error","message":"64 requests are being handled already"}}`)
		close(hold)
		want(t, "answers", len(l.heard()), handlersMax)
		c.finish(l)
		_, err := Join(t.Context(), w.options(Handle("discluster.x", nil))...)
		want(t, "Join", fmt.Sprint(err), `join: handler "discluster.x": names that begin with "discluster." are reserved`)
	})
}

// A CONTROL that does not read is an error for the sender, and nothing else is lost.
func TestNotifyABusyControl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c, l := join(t, w, hello(), nil)
		l.mu.Lock()
		l.busy = true
		l.mu.Unlock()
		if _, err := c.Notify(AllClusters(), 1); !errors.Is(err, transport.ErrBusy) {
			t.Errorf("Notify: %v", err)
		}
		c.finish(l)
	})
}
