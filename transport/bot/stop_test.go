package bot

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discluster/control/messages"
)

// TestLost: on_lost decides what a bot does whose CONTROL is gone, or does not answer.
func TestLost(t *testing.T) {
	for _, test := range []struct {
		name   string
		onLost string
		hangUp bool
		ends   time.Duration // 0: never
	}{
		{"gone, exit", messages.OnLostExit, true, 25 * time.Second},
		// not from the third beat, which finds two without an answer: MASTER counts from the
		// silence
		{"mute, exit", messages.OnLostExit, false, 25 * time.Second},
		{"gone, autonomous", messages.OnLostAutonomous, true, 0},
		{"mute, autonomous", messages.OnLostAutonomous, false, 0},
		{"gone, no on_lost", "", true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				h := hello()
				h.OnLost, h.LostAfterMS = test.onLost, 25_000
				c, l := join(t, w, h, nil)
				if test.hangUp {
					l.hangUp(errors.New("crashed"))
				}
				if test.ends == 0 {
					time.Sleep(24 * time.Hour)
					again := w.dial()
					again.send(hello())
					again.hears("24h0m0s IDENTIFY to 77 serving [6 7] of 16", "24h0m0s SHARD 6 idle", "24h0m0s SHARD 7 idle")
					c.finish(again)
					return
				}
				if err := <-c.ended; !errors.Is(err, ErrLost) {
					t.Errorf("Run: %v", err)
				}
				want(t, "ended after", time.Since(w.from), test.ends)
				want(t, "stop", c.Stop(), Stop{Deadline: time.Now().Add(shortGrace)})
			})
		})
	}
}

// TestReturn: a CONTROL that returns in time stops the clock.
func TestReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := hello()
		h.OnLost, h.LostAfterMS = messages.OnLostExit, 25_000
		c, l := join(t, w, h, nil)
		for range 3 {
			l.hangUp(errors.New("crashed"))
			time.Sleep(24 * time.Second)
			l = w.dial()
			l.send(h)
		}
		c.finish(l)
	})
}

// TestTakeover: the last HELLO counts, the connection before it is closed, and its packets are
// ignored.
func TestTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c, l := join(t, w, hello(), nil)
		for _, s := range c.shards {
			s.State(messages.ShardReady, 0)
		}
		l.hears("0s SHARD 6 ready", "0s SHARD 7 ready", "0s CONNECTED")
		stranger := w.dial()
		stranger.send(messages.Destroying{EventID: "1"})
		wrong := hello()
		wrong.ID = "1"
		stranger.send(wrong)
		stranger.hears("0s INVALID_SESSION")
		next := w.dial()
		next.send(hello())
		next.hears("0s IDENTIFY to 77 serving [6 7] of 16", "0s SHARD 6 ready", "0s SHARD 7 ready", "0s CONNECTED")
		<-l.done
		c.finish(next)
	})
}

func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		h := hello()
		h.LeaseMS, h.OnLost = 20_000, messages.OnLostAutonomous
		c, l := join(t, w, h, nil)
		l.answerBeats(20_000)
		time.Sleep(61 * time.Second) // the last beat was at 60 s
		l.hangUp(errors.New("crashed"))
		err := <-c.ended
		want(t, "Run", fmt.Sprint(err), "CONTROL is lost: the lease ran out")
		want(t, "is ErrLost", errors.Is(err, ErrLost), true)
		want(t, "ended after", time.Since(w.from), 80*time.Second)
	})
}

// TestStop: each order to stop, with what the shards see and what CONTROL gets.
func TestStop(t *testing.T) {
	for _, test := range []struct {
		name  string
		order func(*world, *control)
		stop  Stop
		takes time.Duration // the handlers need
		ends  time.Duration
		wants []string
		err   string
	}{
		{"drain", func(_ *world, l *control) { l.send(messages.Drain{EventID: "5", DeadlineMS: 8000}) }, Stop{Deadline: at(8)}, 3 * time.Second, 3 * time.Second,
			[]string{"3s DRAINED 5 6:a@9 7:b@8"}, ""},
		{"drain, past the deadline", func(_ *world, l *control) { l.send(messages.Drain{EventID: "5", DeadlineMS: 4000}) }, Stop{Deadline: at(4)}, time.Hour, 4 * time.Second,
			[]string{"4s DRAINED 5 6:a@9 7:b@8"}, ""},
		{"destroying", func(_ *world, l *control) { l.send(messages.Destroying{EventID: "5"}) }, Stop{Deadline: at(5), Final: true}, time.Second, time.Second,
			[]string{"1s DESTROYING 5"}, ""},
		{"SIGTERM", func(w *world, _ *control) { w.term <- syscall.SIGTERM }, Stop{Deadline: at(5)}, time.Second, time.Second, nil, ""},
		{"drain, then destroying", func(_ *world, l *control) {
			l.send(messages.Drain{EventID: "5", DeadlineMS: 8000})
			l.send(messages.Destroying{EventID: "6"})
		}, Stop{Deadline: at(8)}, time.Second, time.Second, []string{"1s DRAINED 5 6:a@9 7:b@8", "1s DESTROYING 6"}, ""},
		{"handlers that hang", func(_ *world, l *control) { l.send(messages.Drain{EventID: "5", DeadlineMS: 1000}) }, Stop{Deadline: at(1)}, -1, 3 * time.Second,
			[]string{"3s DRAINED 5 6:a@9 7:b@8"}, "2 shards have not ended 2s after the deadline"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				hang := make(chan struct{})
				defer close(hang)
				var c *member
				c, l := join(t, w, hello(), func(ctx context.Context, s *Shard) error {
					s.SetSession(session(s.ID(), string(rune('a'+s.ID()-6)), int64(15-s.ID())))
					<-s.c.Stopping()
					if test.takes < 0 {
						<-hang
					}
					select {
					case <-time.After(test.takes):
					case <-ctx.Done():
					}
					return nil
				}, Resume())
				test.order(w, l)
				<-c.Stopping()
				want(t, "stop", c.Stop(), test.stop)
				err := <-c.ended
				if test.err == "" != (err == nil) || err != nil && err.Error() != test.err {
					t.Errorf("Run: %v, want %q", err, test.err)
				}
				want(t, "ended after", time.Since(w.from), test.ends)
				l.hears(test.wants...)
			})
		})
	}
}

// at returns a moment, in seconds after a bubble's start (testing/synctest: midnight UTC
// 2000-01-01).
func at(seconds int) time.Time {
	return time.Date(2000, 1, 1, 0, 0, seconds, 0, time.UTC).Local()
}

// TestShardFails: CONTROL gets the first shard's error and Run returns it; the others are stopped
// and may keep their sessions.
func TestShardFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c, l := join(t, w, hello(), func(_ context.Context, s *Shard) error {
			if s.ID() == 6 {
				time.Sleep(time.Second)
				s.State(messages.ShardFailed, 4014)
				return fmt.Errorf("identify: %w", &coded{4014})
			}
			<-s.c.Stopping()
			return errors.New("cut off")
		})
		err := <-c.ended
		want(t, "Run", err.Error(), "shard 6: identify: the token secret is wrong")
		want(t, "stop", c.Stop(), Stop{Deadline: at(2)})
		l.hears("1s SHARD 6 failed 4014", "1s FAILURE 4014 shard 6: identify: the token [redacted] is wrong")
	})
}
