package client

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discluster/control/messages"
)

// TestPermitOutlivesConnection: the place in the queue is kept, a new connection is made first, and
// an overdue permit is returned and asked for again.
func TestPermitOutlivesConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		permits := make(chan permit)
		c := start(t, g, func(cfg *Config, l *told) {
			cfg.Permit = func(ctx context.Context, cause messages.IdentifyCause) (Permit, error) {
				l.add("permit " + string(cause))
				select {
				case p := <-permits:
					p.told = l
					return p, nil
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
		})
		p := g.accept()
		want(t, "told", c.take(), []string{"connecting", "waiting_permit", "permit start"})
		p.close(0, "")
		q := g.silent() // no HELLO yet
		permits <- permit{}
		want(t, "told", c.take(), []string{"disconnected", "connecting"})
		q.send(`{"op":10,"d":{"heartbeat_interval":40000}}`)
		q.expect(opIdentify)
		want(t, "told", c.take(), []string{"waiting_permit", "identifying", "sent"})
		q.send(`{"op":9,"d":false}`)
		q.ends()
		r := g.accept()
		permits <- permit{overdue: true}
		want(t, "told", c.take(), []string{"disconnected", "connecting", "waiting_permit", "permit reidentify", "unused", "permit reidentify"})
		c.Close(time.Now().Add(time.Minute), false)
		want(t, "close code", r.ends(), 4000)
		want(t, "Run", <-c.ended, nil)
	})
}

func TestPermitRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		refused := errors.New("refused")
		c := start(t, g, func(cfg *Config, _ *told) {
			cfg.Permit = func(context.Context, messages.IdentifyCause) (Permit, error) { return nil, refused }
		})
		want(t, "close code", g.accept().ends(), 4000)
		if err := <-c.ended; !errors.Is(err, refused) {
			t.Errorf("Run: %v", err)
		}
	})
}

// TestClose: nothing more is read, the handler may finish until the deadline, and the session's seq
// is that of the last event it did finish.
func TestClose(t *testing.T) {
	for _, test := range []struct {
		name    string
		handler time.Duration // an event takes
		within  time.Duration // Close gives
		final   bool
		seq     int64 // 0: no session
		code    int
		took    time.Duration
	}{
		{"in time", 2 * time.Second, 10 * time.Second, false, 3, 4000, 6 * time.Second},
		{"too slow", 4 * time.Second, 10 * time.Second, false, 2, 4000, 10 * time.Second},
		{"final", time.Second, 10 * time.Second, true, 0, 1000, 3 * time.Second},
		{"at once", time.Hour, 0, false, 1, 4000, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGateway(t)
				c := start(t, g, func(cfg *Config, _ *told) {
					cfg.Event = func(ctx context.Context, _ Event) {
						select {
						case <-time.After(test.handler):
						case <-ctx.Done():
							time.Sleep(time.Second) // it does not listen at once
						}
					}
				})
				p := g.accept()
				p.ready()
				p.send(`{"op":0,"t":"MESSAGE_CREATE","s":2,"d":{}}`)
				p.send(`{"op":0,"t":"MESSAGE_CREATE","s":3,"d":{}}`)
				synctest.Wait()
				from := time.Now()
				c.Close(from.Add(test.within), test.final)
				want(t, "close code", p.ends(), test.code)
				want(t, "Run", <-c.ended, nil)
				want(t, "took", time.Since(from), test.took)
				if s := c.Session(); s != nil {
					want(t, "seq", s.Seq, test.seq)
				} else {
					want(t, "seq", 0, test.seq)
				}
				time.Sleep(2 * time.Second) // the handler's rest
				if s := c.Session(); s != nil {
					want(t, "seq told after the end", s.Seq, test.seq)
				}
			})
		})
	}
}

// TestSlowHandler: a full queue stops the reading, not the heart, and a missing answer is then no
// sign of death.
func TestSlowHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		go1 := make(chan struct{})
		c := start(t, g, func(cfg *Config, _ *told) {
			cfg.Event = func(context.Context, Event) { <-go1 }
		})
		p := g.accept()
		p.ready()
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for i := range 2 * queueMax {
				p.send(fmt.Sprintf(`{"op":0,"t":"MESSAGE_CREATE","s":%d,"d":{}}`, i+2))
			}
		}()
		time.Sleep(5 * time.Minute)
		select {
		case <-sent:
			t.Error("everything was read")
		default:
		}
		close(go1)
		<-sent
		p.send(`{"op":11}`)
		synctest.Wait()
		want(t, "seq", c.Session().Seq, 2*queueMax+1)
		want(t, "last told", c.take()[5:], []string{"ready"})
		c.cancel()
		want(t, "close code", p.ends(), 4000)
		<-c.ended
	})
}

func TestReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		c := start(t, g, nil)
		p := g.accept()
		p.ready()
		c.take()
		c.Reconnect()
		want(t, "close code", p.ends(), 4000)
		q := g.accept()
		q.expect(opResume)
		want(t, "told", c.take(), []string{"disconnected", "connecting", "resuming"})
		c.cancel()
		q.ends()
		<-c.ended
	})
}
