package link

import (
	"errors"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

func epoch(n int64) func(*messages.Initialise) { return func(i *messages.Initialise) { i.Epoch = n } }

func leased(d time.Duration) func(*messages.Initialise) {
	return func(i *messages.Initialise) { i.LeaseMS = new(messages.Millis(d)) }
}

// servedBefore is the memory of a run that served 0-7.
func servedBefore() *Memory {
	return &Memory{Instance: "i1", Epoch: 1000, ShardCount: 16, MaxConcurrency: 1, ShardsPerCluster: 4,
		Ranges: []messages.ShardRange{{First: 0, Last: 7}}, Epochs: []int64{1000}}
}

// Each transcript is a story: an event a line, and under it what follows. `go test -run
// TestTranscripts ./actors/link -update` rewrites them; read the difference.
func TestTranscripts(t *testing.T) {
	for name, story := range map[string]func(t *testing.T) *scene{
		"first start": func(t *testing.T) *scene {
			s := play(t, nil)
			s.up()
			s.connect("c1", 0, 7)
			s.ready()
			s.connect("c1", 0, 7)
			s.skip(6 * time.Second)
			return s
		},
		"start with what the previous run served": func(t *testing.T) *scene {
			s := play(t, servedBefore())
			s.up()
			s.connect("c1", 0, 7)
			return s
		},
		"memory that cannot be read": func(t *testing.T) *scene {
			s := play(t, servedBefore(), func(s *scene) { s.unreadable = 3 })
			s.skip(2 * time.Minute)
			return s
		},
		"MASTER lost and back": func(t *testing.T) *scene {
			s := serving(t)
			s.skip(15 * time.Second)
			s.lose()
			s.skip(0)
			s.do("the dial fails", Opened{Link: s.number, Err: errors.New("refused")})
			s.skip(2 * time.Second)
			s.do("the dial fails again", Opened{Link: s.number, Err: errors.New("refused")})
			s.skip(5 * time.Second)
			s.up()
			return s
		},
		"MASTER that greets too late": func(t *testing.T) *scene {
			s := play(t, nil)
			s.open()
			s.skip(10 * time.Second)
			return s
		},
		"MASTER of the past": func(t *testing.T) *scene {
			s := serving(t)
			s.lose()
			s.skip(2 * time.Second)
			s.up(epoch(900))
			s.do("operator: accept-master", messages.AcceptMaster{})
			s.skip(0)
			s.up(epoch(900))
			s.connect("c2", 0, 7)
			return s
		},
		"MASTER by whose clock the last one is of the future": func(t *testing.T) *scene {
			m := servedBefore()
			m.Epoch, m.Epochs = 2000, []int64{2000}
			s := play(t, m)
			s.up(func(i *messages.Initialise) { i.Now = new(messages.UnixMillis(1500)) })
			s.connect("c1", 0, 7)
			return s
		},
		"MASTER that refuses this machine": func(t *testing.T) *scene {
			s := play(t, nil)
			s.do("the dial is refused", Opened{Link: s.number, Err: errors.New("4001: Unauthorized"), Code: messages.CloseUnauthorised})
			s.skip(40 * time.Second)
			return s
		},
		"range moved away and back": func(t *testing.T) *scene {
			s := serving(t)
			s.offload("o1", 0, 7)
			s.connect("c2", 0, 7)
			s.released("o1", 0, 7)
			return s
		},
		"shards that another machine serves now": func(t *testing.T) *scene {
			s := serving(t)
			s.lose()
			s.skip(2 * time.Second)
			s.up(epoch(1001))
			s.offload("o1", 0, 7)
			s.released("o1", 0, 7)
			s.came("MASTER: be a spare (order c2)", messages.Connect{ID: "c2", Redundant: true})
			return s
		},
		"order before initialise": func(t *testing.T) *scene {
			s := play(t, nil)
			s.open()
			s.connect("c1", 0, 7)
			return s
		},
		"other sharding": func(t *testing.T) *scene {
			s := serving(t)
			s.greet(func(i *messages.Initialise) { i.ShardCount = new(32) })
			s.connect("c2", 0, 15)
			s.offload("o1", 0, 7)
			s.released("o1", 0, 7)
			s.connect("c3", 0, 15)
			return s
		},
		"lease": func(t *testing.T) *scene {
			s := play(t, nil)
			s.up(leased(30 * time.Second))
			s.connect("c1", 0, 7)
			s.ready()
			s.skip(6 * time.Second)
			s.came("MASTER: ack of heartbeat 1", messages.HeartbeatAck{Seq: 1})
			s.skip(time.Second)
			s.lose()
			s.skip(time.Minute)
			return s
		},
		"halt by MASTER, and resume": func(t *testing.T) *scene {
			s := serving(t)
			s.do("cluster: shard 0 was closed with 4004", messages.Fatal{Code: 4004, Message: "Authentication failed."})
			s.came("MASTER: shut down", messages.Shutdown{ID: "s1", Reason: "halted", Halt: &messages.Halt{Code: 4004, Token: messages.Secret("t0ken").Fingerprint(), Epoch: 1000}})
			s.connect("c2", 0, 7)
			h := messages.Halt{Code: 4004, Token: messages.Secret("t0ken").Fingerprint(), Epoch: 1000}
			s.came("MASTER: resume", messages.Command{ID: "r1", Name: messages.CommandResumeFleet, Args: []byte(text(t, h))})
			s.connect("c3", 0, 7)
			return s
		},
		"halt without MASTER": func(t *testing.T) *scene {
			s := serving(t)
			s.lose()
			s.do("cluster: shard 0 was closed with 4004", messages.Fatal{Code: 4004, Message: "Authentication failed."})
			return s
		},
		"another token ends a halt": func(t *testing.T) *scene {
			m := servedBefore()
			m.Ranges, m.Epochs, m.Halted = nil, nil, &messages.Halt{Code: 4004, Token: messages.Secret("old").Fingerprint(), Epoch: 900}
			s := play(t, m)
			s.up()
			return s
		},
		"share of the identify budget": func(t *testing.T) *scene {
			s := serving(t)
			s.skip(5 * time.Second)
			share := messages.BudgetShare{ID: 7, Total: 100, Remaining: 100, Reserve: 16}
			s.came("MASTER: ack of heartbeat 1, share 7", messages.HeartbeatAck{Seq: 1, Share: &share})
			s.do("gate: the share is on disk", messages.ShareLeft{Share: share})
			s.skip(5 * time.Second)
			s.came("MASTER: ack of heartbeat 2, share 7", messages.HeartbeatAck{Seq: 2, Share: &share})
			return s
		},
		"stop": func(t *testing.T) *scene {
			s := serving(t)
			s.do("SIGTERM", messages.Stop{Reason: "SIGTERM"})
			return s
		},
		"stop that leaves the bots": func(t *testing.T) *scene {
			s := serving(t)
			s.do("SIGTERM, on_stop: detach", messages.Stop{Detach: true})
			return s
		},
		"panics": func(t *testing.T) *scene {
			s := serving(t)
			for _, a := range []Actor{Gate, Sessions, Clusters} {
				s.do("the actor "+string(a)+" panicked", Recovered{Child: a})
			}
			s.do("the link's actor panicked", Recovered{Self: true})
			return s
		},
		"panics while the clusters stop": func(t *testing.T) *scene {
			s := play(t, nil)
			s.up(leased(30 * time.Second))
			s.connect("c1", 0, 7)
			s.ready()
			s.lose()
			s.Restart("0-7 is READY by a lease of 30s; the link was lost")
			s.stuck = true
			s.skip(time.Minute)
			s.do("the actor clusters panicked", Recovered{Child: Clusters})
			s.do("clusters: all stopped", messages.AllStopped{})
			s.up()
			s.came("MASTER: shut down", messages.Shutdown{ID: "s1", Reason: "halted"})
			s.do("the actor clusters panicked", Recovered{Child: Clusters})
			s.do("clusters: all stopped", messages.AllStopped{})
			s.do("SIGTERM", messages.Stop{Reason: "SIGTERM"})
			s.do("the actor clusters panicked", Recovered{Child: Clusters})
			s.do("clusters: all stopped", messages.AllStopped{})
			return s
		},
		"command that ends with MASTER": func(t *testing.T) *scene {
			s := serving(t)
			s.came("MASTER: rolling restart", messages.Command{ID: "k1", Name: messages.CommandRollingRestart})
			s.do("commander: done", messages.Ack{ID: "k1", OK: new(true)})
			s.lose()
			s.skip(2 * time.Second)
			s.up()
			return s
		},
		"command that ends without MASTER": func(t *testing.T) *scene {
			s := serving(t)
			s.came("MASTER: rolling restart", messages.Command{ID: "k1", Name: messages.CommandRollingRestart})
			s.lose()
			s.do("commander: done", messages.Ack{ID: "k1", OK: new(true)})
			s.skip(time.Minute)
			s.up()
			s.came("MASTER: rolling restart, again", messages.Command{ID: "k1", Name: messages.CommandRollingRestart})
			return s
		},
		"packets that cannot be read": func(t *testing.T) *scene {
			s := serving(t)
			s.do("MASTER: noise", Broken{Link: s.number, Err: errors.New("invalid character")})
			s.do("MASTER: noise", Broken{Link: s.number, Err: errors.New("invalid character")})
			s.do("MASTER: a connect with a wrong field", Broken{Link: s.number, Packet: "connect", Err: errors.New("range: [7,0]")})
			s.came("MASTER: a command that is unknown", messages.Command{ID: "k1", Name: "dance"})
			return s
		},
	} {
		t.Run(name, func(t *testing.T) { story(t).Check() })
	}
}

// serving returns a machine whose 0-7 are READY. Its transcript begins there.
func serving(t *testing.T) *scene {
	s := play(t, nil)
	s.up()
	s.connect("c1", 0, 7)
	s.ready()
	s.Restart("0-7 is READY; the link is open, epoch 1000")
	return s
}
