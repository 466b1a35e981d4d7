package cluster

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/router"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	codec "github.com/discluster/control/transport/ipc"
	"github.com/discluster/control/transport/proc"
)

// What lies unread in a socket that was given up says nothing about its process any more; it is
// taken all the same, as the link wants.
func TestFrameOfAnotherLink(t *testing.T) {
	c, link := clusterIn(messages.ClusterServing)
	old := &recordingLink{}
	beat, err := codec.EncodeFromInstance(messages.IPCBeat{ID: "7", EventID: "8"})
	if err != nil {
		t.Fatal(err)
	}
	c.frame(nil, socketFrame{link: old, frame: beat})
	if !c.lastBeat.IsZero() || len(link.sent) != 0 || old.took != 1 {
		t.Errorf("a heartbeat of the link before: taken at %v, %d answers, %d frames taken; want none, 0, 1", c.lastBeat, len(link.sent), old.took)
	}
	c.frame(nil, socketFrame{link: link, frame: beat})
	if c.lastBeat.IsZero() || len(link.sent) != 1 || link.took != 1 {
		t.Errorf("a heartbeat: taken at %v, %d answers, %d frames taken; want now, 1, 1", c.lastBeat, len(link.sent), link.took)
	}
}

// HELLO is repeated each second until it is answered, also over a socket that opens again.
func TestHelloIsRepeated(t *testing.T) {
	c, link := clusterIn(messages.ClusterGreeting)
	c.link = nil
	inActor(t, func(ctx actor.Context) {
		c.greet(ctx)
		c.link = link
		for range 2 {
			c.greeting(hearing{ctx, greetAgain{c.thisRun()}})
		}
	})
	if len(link.sent) != 2 || !slices.Equal(link.timers, []time.Duration{time.Second, time.Second, time.Second}) {
		t.Errorf("%d HELLOs, timers %v; want 2, and one of 1s behind each try", len(link.sent), link.timers)
	}
}

// The end of a socket that was given up before says nothing about the present one: neither about
// the last words that are awaited on it, nor about the connection of a bot that serves.
func TestEndOfAnotherSocket(t *testing.T) {
	c, _ := clusterIn(messages.ClusterKilling)
	c.mourning(hearing{msg: socketEnded{link: &recordingLink{}}}) // what fails needs a context
	c, link := clusterIn(messages.ClusterServing)
	c.closed(nil, socketEnded{link: &recordingLink{}})
	if c.link != link {
		t.Error("a socket is given up for the end of the one before")
	}
}

// A socket appears some 0.2 s after exec: it is dialled often until then.
func TestSocketIsDialledOften(t *testing.T) {
	c, link := clusterIn(messages.ClusterGreeting)
	inActor(t, func(ctx actor.Context) {
		c.opened(ctx, socketOpened{c.thisRun(), nil, errors.New("connection refused")})
	})
	if !slices.Equal(link.timers, []time.Duration{50 * time.Millisecond}) {
		t.Errorf("timers %v, want 50ms", link.timers)
	}
}

// A process that is taken back answers HELLO as soon as any that serves does; one that was just
// started has all of hello_timeout, and a successor as long as it waits for HELLO. The socket of a
// bot that serves may open again at any time.
func TestTimeForHello(t *testing.T) {
	for name, tc := range map[string]struct {
		state     messages.ClusterState
		adopted   bool
		successor bool
		timers    []time.Duration
	}{
		"just started":      {messages.ClusterGreeting, false, false, nil},
		"taken back":        {messages.ClusterGreeting, true, false, []time.Duration{10500 * time.Millisecond}},
		"it serves":         {messages.ClusterServing, true, false, nil},
		"it takes over":     {messages.ClusterGreeting, false, true, []time.Duration{25 * time.Second}},
		"it serves, ours":   {messages.ClusterServing, false, false, nil},
		"dials meanwhile":   {messages.ClusterKilling, false, false, nil},
		"and ends by order": {messages.ClusterDraining, true, false, nil},
	} {
		c, link := clusterIn(tc.state)
		c.adopted, c.successor = tc.adopted, tc.successor
		inActor(t, func(ctx actor.Context) {
			c.addresses = houseAt(ctx.Parent())
			c.opened(ctx, socketOpened{c.thisRun(), link, nil})
		})
		if !slices.Equal(link.timers, tc.timers) {
			t.Errorf("%s: timers %v, want %v", name, link.timers, tc.timers)
		}
	}
}

// The Router hears once a link that the instance can be asked, however often HELLO is answered, and
// not of one that is another's.
func TestRouterHearsOnceOfALink(t *testing.T) {
	c, _ := clusterIn(messages.ClusterServing)
	got := inActor(t, func(ctx actor.Context) {
		c.addresses = houseAt(ctx.Parent())
		c.greeted(ctx, messages.Identify{ID: "8"})
		for range 2 {
			c.greeted(ctx, messages.Identify{ID: "7"})
		}
		c.link = &recordingLink{}
		c.greeted(ctx, messages.Identify{ID: "7"})
	})
	if n := times[router.ConnGreeted](got); n != 2 {
		t.Errorf("%d, want one for each of two links", n)
	}
}

// A frame over the limit is its author's to hear of; any other end of a socket is not.
func TestEndOfASocketIsReported(t *testing.T) {
	for err, want := range map[error]int{transport.ErrTooLarge: 1, transport.ErrEnded: 0} {
		c, link := clusterIn(messages.ClusterServing)
		c.peer = plan.Peer()
		got := inActor(t, func(ctx actor.Context) {
			c.addresses = houseAt(ctx.Parent())
			c.closed(ctx, socketEnded{link, err})
		})
		if n := times[messages.PacketDropped](got); n != want {
			t.Errorf("%v: %d reports, want %d", err, n, want)
		}
	}
}

// An ERROR of the bot is why its start failed, unless it answers something else, or the end is
// decided for another reason. That of a dead one explains its exit.
func TestErrorOfTheBot(t *testing.T) {
	mute, exited := &Failure{Cause: messages.CauseMute}, &Failure{Cause: messages.CauseExited}
	for name, tc := range map[string]struct {
		state messages.ClusterState
		event messages.Snowflake
		why   *Failure
		dead  bool
		cause messages.Cause
	}{
		"of an eval":          {messages.ClusterConnecting, "9", nil, false, ""},
		"at an ordered end":   {messages.ClusterDraining, "7", nil, false, ""},
		"of one that hung":    {messages.ClusterKilling, "7", mute, false, messages.CauseMute},
		"of one that died":    {messages.ClusterKilling, "7", exited, true, messages.CauseStartFailed},
		"of an eval, and end": {messages.ClusterKilling, "9", exited, true, messages.CauseExited},
	} {
		c, _ := clusterIn(tc.state)
		if c.why = tc.why; tc.dead {
			c.exit = &proc.Exit{Code: 1}
		}
		c.packet(nil, messages.Failure{EventID: tc.event, Error: messages.FailureError{Message: "x"}})
		cause := messages.Cause("")
		if c.why != nil {
			cause = c.why.Cause
		}
		if cause != tc.cause || c.State() != string(tc.state) {
			t.Errorf("%s: cause %q in state %s, want %q in %s", name, cause, c.State(), tc.cause, tc.state)
		}
	}
}

// CONNECTED counts where it names the instance, and the bot does not report each shard.
func TestConnectedOfAnother(t *testing.T) {
	for name, p := range map[string]struct {
		event    messages.Snowflake
		features []string
	}{"of another instance": {"9", nil}, "beside reports": {"7", []string{messages.FeatureShards}}} {
		c, _ := clusterIn(messages.ClusterConnecting)
		c.shares, c.features = newShares(2), p.features
		c.shards = map[int]*shard{0: {state: messages.ShardIdle}, 1: {state: messages.ShardIdle}}
		inActor(t, func(ctx actor.Context) {
			c.addresses = houseAt(ctx.Parent())
			c.packet(ctx, messages.Connected{EventID: p.event})
		})
		if c.ready() != 0 {
			t.Errorf("%s: %d shards are READY, want 0", name, c.ready())
		}
	}
}
