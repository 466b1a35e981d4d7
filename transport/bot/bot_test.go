package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discluster/control/messages"
)

func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		joined := make(chan *Cluster)
		go func() {
			c, err := Join(t.Context(), w.options(Intents(513))...)
			want(t, "Join", err, nil)
			joined <- c
		}()
		l := w.dial()
		wrong := hello()
		wrong.ID = "5"
		l.send(wrong)
		l.hears("0s INVALID_SESSION")
		l.send(messages.Drain{EventID: "1"}) // ignored before any HELLO
		l.send(hello())
		c := <-joined
		l.hears("0s IDENTIFY to 77 idle [6 7] of 16")
		want(t, "shards", c.Shards(), []int{6, 7})
		want(t, "shard count", c.ShardCount(), 16)
		want(t, "id", c.ID(), 3)
		want(t, "count", c.Count(), 8)
		want(t, "token", c.Token().Reveal(), "secret")
		i := c.identify("1")
		want(t, "features", i.Features, []string{"heartbeat", "permits", "shards", "drain"})
		want(t, "sdk", i.SDK, "discluster-go/"+Version)
		want(t, "intents", i.Intents, 513)
		again := hello()
		again.EventID, again.Shards, again.TotalShards = "78", []int{1}, 2
		l.send(again)
		l.hears("0s IDENTIFY to 78 idle [6 7] of 16")
		err := &coded{4004}
		want(t, "Fail", c.Fail(err), error(err))
		l.hears("0s FAILURE 4004 the token [redacted] is wrong")
	})
}

// coded is an error with a close code, and the token in its text.
type coded struct{ code int }

func (e *coded) Error() string  { return "the token secret is wrong" }
func (e *coded) CloseCode() int { return e.code }

func TestJoinWithoutControl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		_, err := Join(t.Context(), w.options()...)
		want(t, "waited", time.Since(w.from), 30*time.Second)
		want(t, "Join", err.Error(), "join: no HELLO from CONTROL within 30s of listening at /run/c/3")
		want(t, "listening", w.listening, false)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Join(ctx, w.options()...); !errors.Is(err, context.Canceled) {
			t.Errorf("Join: %v", err)
		}
	})
}

func TestTokenOfHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		delete(w.env, "DISCORD_TOKEN")
		h := hello()
		h.Token = "hello's"
		c, l := join(t, w, h, nil)
		want(t, "token", c.Token().Reveal(), "hello's")
		c.finish(l)
	})
}

func TestEnvironment(t *testing.T) {
	for _, test := range []struct {
		name, variable, value string // "-": not set
		err                   string
	}{
		{"good", "CLUSTER_ID", "3", ""},
		{"not started by CONTROL", "DISCLUSTER_SOCKET", "-", "DISCLUSTER_SOCKET is not set: not started by CONTROL"},
		{"relative path", "DISCLUSTER_SOCKET", "c/3", `DISCLUSTER_SOCKET is "c/3": want an absolute path of at most 107 bytes`},
		{"long path", "DISCLUSTER_SOCKET", "/" + strings.Repeat("x", 107), "want an absolute path of at most 107 bytes"},
		{"no manager", "SHARDING_MANAGER_IPC", "-", "SHARDING_MANAGER_IPC is not set: want a snowflake: a decimal number of at most 128 bits"},
		{"bad instance", "SHARDING_INSTANCE_IPC", "x1", `SHARDING_INSTANCE_IPC is "x1": want a snowflake`},
		{"no cluster", "CLUSTER_ID", "", `CLUSTER_ID is "": want a whole number of at least 0`},
		{"negative cluster", "CLUSTER_ID", "-1", `CLUSTER_ID is "-1": want a whole number of at least 0`},
		{"no clusters", "CLUSTER_COUNT", "0", `CLUSTER_COUNT is "0": want a whole number of at least 1`},
		{"no concurrency", "MAX_CONCURRENCY", "-", "MAX_CONCURRENCY is not set: want a whole number of at least 1"},
	} {
		env := goodEnvironment()
		if env[test.variable] = test.value; test.value == "-" {
			delete(env, test.variable)
		}
		_, err := readEnvironment(lookupIn(env))
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.err)
		}
		want(t, test.name+" is standalone", errors.Is(err, ErrStandalone), test.name == "not started by CONTROL")
	}
}

// TestSecondHello: a bot that announced sessions starts when it got the list of them, on one
// connection.
func TestSecondHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		joined := make(chan *Cluster, 1)
		go func() {
			c, _ := Join(t.Context(), w.options(Resume(), Intents(1))...)
			joined <- c
		}()
		first := w.dial()
		first.send(hello())
		c := <-joined
		started := make(chan string, 2)
		ended := make(chan error, 1)
		go func() {
			ended <- c.Run(t.Context(), func(_ context.Context, s *Shard) error {
				if session := s.Session(); session != nil {
					started <- fmt.Sprint(s.ID(), " ", session.SessionID)
				} else {
					started <- fmt.Sprint(s.ID())
				}
				<-c.Stopping()
				return nil
			})
		}()
		second := w.dial() // another CONTROL, before the first sent sessions
		second.send(hello())
		want(t, "started", len(started), 0)
		h := hello()
		other := session(6, "other", 1)
		other.ShardCount = 32
		intents := session(6, "intents", 1)
		intents.Intents = 2
		h.Sessions = &[]messages.Session{session(7, "s7", 41), session(9, "s9", 1), other, intents}
		second.send(h)
		want(t, "started", len(started), 2)
		got := map[string]bool{<-started: true, <-started: true}
		want(t, "started", got, map[string]bool{"6": true, "7 s7": true})
		second.hears("0s IDENTIFY to 77 idle [6 7] of 16", "0s IDENTIFY to 77 idle [6 7] of 16")
		second.send(hello())
		second.hears("0s IDENTIFY to 77 serving [6 7] of 16 7:s7@41")
		second.send(messages.Drain{EventID: "9"})
		second.hears("0s DRAINED 9 7:s7@41")
		want(t, "Run", <-ended, nil)
	})
}

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := join(t, newWorld(t), hello(), nil)
		l.answerBeats(0)
		time.Sleep(20 * time.Second)
		l.hears("5s HEARTBEAT", "10s HEARTBEAT", "15s HEARTBEAT", "20s HEARTBEAT")
		time.Sleep(time.Hour)
		c.finish(l)
	})
}

func TestStatesAndFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := join(t, newWorld(t), hello(), nil)
		l.answerBeats(0)
		a, b := c.shard(6), c.shard(7)
		time.Sleep(50 * time.Millisecond)
		a.State(messages.ShardConnecting, 0)
		a.State(messages.ShardConnecting, 0)
		a.State(messages.ShardReady, 0)
		b.State(messages.ShardReady, 0)
		b.State(messages.ShardDisconnected, 4000)
		b.State(messages.ShardReady, 0)
		l.hears("50ms SHARD 6 connecting", "50ms SHARD 6 ready", "50ms SHARD 7 ready", "50ms CONNECTED", "50ms SHARD 7 disconnected 4000", "50ms SHARD 7 ready")
		for i := range 12 {
			a.Figures(39*time.Millisecond+1, 100, int64(i))
			time.Sleep(900 * time.Millisecond)
		}
		b.Figures(1, -1, -1)
		l.hears("5s HEARTBEAT", "5.05s SHARD 6 ready, 40 ms, 100 guilds, 5 events", "10s HEARTBEAT", "10.45s SHARD 6 ready, 40 ms, 100 guilds, 11 events")
		c.finish(l)
	})
}

// What waits for a child is reported like figures: when it has changed, and not often.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := join(t, newWorld(t), hello(), nil)
		l.answerBeats(0)
		a := c.shard(6)
		time.Sleep(50 * time.Millisecond)
		a.State(messages.ShardReady, 0)
		l.hears("50ms SHARD 6 ready")
		for i := range 12 {
			a.Waiting(3, time.Duration(min(i, 6))*time.Second, 0)
			time.Sleep(900 * time.Millisecond)
		}
		l.hears("5s HEARTBEAT", "5.05s SHARD 6 ready, 3 wait 5000 ms, deaf 0 ms", "10s HEARTBEAT", "10.45s SHARD 6 ready, 3 wait 6000 ms, deaf 0 ms")
		a.Waiting(0, 0, 7*time.Minute)
		time.Sleep(6 * time.Second)
		l.hears("15s HEARTBEAT", "15.85s SHARD 6 ready, 0 wait 0 ms, deaf 420000 ms")
		c.finish(l)
	})
}

func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c, l := join(t, w, hello(), nil, Resume())
		l.answerBeats(0)
		a, b := c.shard(6), c.shard(7)
		sent := session(0, "a", 1)
		sent.Guilds = []string{"11", "12"}
		a.SetSession(sent)
		l.hears("0s SESSIONS 6:a@1 in [11 12]")
		for i := range 25 {
			sent.Seq = int64(i + 2)
			a.SetSession(sent)
			b.SetSession(session(0, "b", int64(i+1)))
			time.Sleep(90 * time.Millisecond)
		}
		l.hears("0s SESSIONS 6:a@2 7:b@1", "1.09s SESSIONS 6:a@14 7:b@13", "2.17s SESSIONS 6:a@26 7:b@25")
		a.SessionGone()
		a.SessionGone()
		l.hears("2.25s SESSIONS gone [6]")
		sent.Shard, sent.SessionID = 0, "b"
		b.SetSession(sent)
		synctest.Wait()
		l.hangUp(errors.New("crashed"))
		synctest.Wait()
		sent.Seq = 50
		b.SetSession(sent)
		next := w.dial()
		next.send(hello())
		next.hears("2.25s IDENTIFY to 77 serving [6 7] of 16 7:b@50 in [11 12]", "2.25s SESSIONS gone [6]", "2.25s SHARD 6 idle", "2.25s SHARD 7 idle")
		c.finish(next)
	})
}

func TestReconnectOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := join(t, newWorld(t), hello(), nil)
		for range 2 {
			l.send(messages.Reconnect{EventID: "1", Shard: 7})
		}
		l.send(messages.Reconnect{EventID: "1", Shard: 70})
		<-c.shard(7).Reconnect()
		want(t, "more orders", len(c.shard(7).Reconnect())+len(c.shard(6).Reconnect()), 0)
		c.finish(l)
	})
}

func TestOperationsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := join(t, newWorld(t), hello(), nil)
		for _, op := range []messages.Operation{
			{Op: messages.IPCDispatch, T: "BROADCAST_EVAL", Data: []byte(`{"event_id":"1","script":"6*7","shards":[3]}`)},
			{Op: messages.IPCCacheOperate, Data: []byte(`{"event_id":"2","op":4,"keyspace":"guilds"}`)},
			{Op: messages.IPCDispatch, T: "BROADCAST_EVAL", Data: []byte(`{"event_id":"3","result":[1]}`)},
			{Op: messages.IPCCacheOperate, Data: []byte(`{"event_id":"4","success":true,"result":1}`)},
			{Op: messages.IPCDispatch, T: "MESSAGE", Data: []byte(`{"event_id":"5","message":1}`)},
			{Op: messages.IPCDispatch, T: "PRESENCE_UPDATE", Data: []byte(`{"event_id":"6"}`)},
			{Op: messages.IPCDispatch, T: "GUILD_MEMBERS_REQUEST", Data: []byte(`{"event_id":"7","shard_id":6,"guild_id":"1"}`)},
			{Op: messages.IPCDispatch, T: "GUILD_MEMBERS_REQUEST", Data: []byte(`{"event_id":"8","shard_id":6,"members":[]}`)},
		} {
			l.send(op)
		}
		l.hears(
			`0s {"Op":4,"T":"BROADCAST_EVAL","Data":{"event_id":"1","result":{"name":"Error","message":"this cluster runs no scripts"}}}`,
			`0s {"Op":3,"T":"","Data":{"event_id":"2","success":false}}`,
			`0s {"Op":4,"T":"GUILD_MEMBERS_REQUEST","Data":{"event_id":"7","result":{"name":"Error","message":"this cluster lists no members"}}}`)
		c.finish(l)
	})
}

func TestOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c *member
		handle := Operations(func(op messages.Operation) *messages.Operation {
			c.Send(op) // it may call the cluster
			return &messages.Operation{Op: op.Op, T: "ANSWER"}
		})
		c, l := join(t, newWorld(t), hello(), nil, handle)
		l.send(messages.Operation{Op: messages.IPCDispatch, T: "MESSAGE", Data: []byte(`{"event_id":"5"}`)})
		l.hears(`0s {"Op":0,"T":"MESSAGE","Data":{"event_id":"5"}}`, `0s {"Op":0,"T":"ANSWER","Data":null}`)
		c.finish(l)
	})
}

// TestLapsed: another machine may serve our shards while CONTROL is away, and while CONTROL reports
// it.
func TestLapsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		m, l := join(t, w, hello(), nil)
		want(t, "lapsed", m.Lapsed(), false)
		for _, lapsed := range []bool{true, false} {
			l.send(messages.IPCBeat{ID: managerID, EventID: "5", Lapsed: lapsed})
			synctest.Wait()
			want(t, "lapsed", m.Lapsed(), lapsed)
		}
		l.hangUp(errors.New("gone"))
		synctest.Wait()
		want(t, "lapsed", m.Lapsed(), true)
		l = w.dial()
		l.send(hello())
		synctest.Wait()
		want(t, "lapsed", m.Lapsed(), false)
		m.finish(l)
	})
}
