package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discluster/control/messages"
)

func want[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func TestIdentify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		var latest messages.Session
		c := start(t, g, func(cfg *Config, _ *told) { cfg.Session = func(s messages.Session) { latest = s } })
		p := g.accept()
		want(t, "url", p.url, "gateway.example/?encoding=json&v=10")
		identify := p.expect(opIdentify)
		var d struct {
			Token   string `json:"token"`
			Intents int64  `json:"intents"`
			Shard   [2]int `json:"shard"`
		}
		if err := json.Unmarshal(identify.Data, &d); err != nil || d.Token != "secret" || d.Intents != 513 || d.Shard != [2]int{3, 16} {
			t.Errorf("IDENTIFY is %s", identify.Data)
		}
		at := messages.At(time.Now())
		p.send(readyFrame)
		want(t, "told", c.take(), []string{"connecting", "waiting_permit", "permit start", "identifying", "sent", "ready"})
		want(t, "session", latest, messages.Session{
			Shard: 3, ShardCount: 16, SessionID: "s1", Seq: 1, ResumeGatewayURL: "ws://resume.example", At: at, Intents: 513,
			UserID: "7", ApplicationID: "8", Guilds: []string{"11", "12"},
		})
		c.cancel()
		want(t, "close code", p.ends(), 4000)
		want(t, "Run", <-c.ended, nil)
		want(t, "session after the end", c.Session().SessionID, "s1")
	})
}

// TestEndings states, for every way a shard that is ready can lose its connection, what it does
// next.
func TestEndings(t *testing.T) {
	resumes := []string{"disconnected", "connecting", "resuming"}
	identifies := []string{"gone", "disconnected", "connecting", "waiting_permit", "permit reidentify", "identifying", "sent"}
	with := func(code string, lines []string) []string {
		lines = append([]string(nil), lines...)
		for i := range lines {
			if lines[i] == "disconnected" {
				lines[i] += " " + code
			}
		}
		return lines
	}
	for _, test := range []struct {
		name  string
		end   func(*peer)
		code  int // the client's
		wait  time.Duration
		story []string
	}{
		{"op 7", func(p *peer) { p.send(`{"op":7,"d":null}`) }, 4000, 0, resumes},
		{"op 9 true", func(p *peer) { p.send(`{"op":9,"d":true}`) }, 4000, 0, resumes},
		{"op 9 false", func(p *peer) { p.send(`{"op":9,"d":false}`) }, 4000, 3 * time.Second, identifies},
		{"vanished", func(p *peer) { p.close(0, "") }, 0, 0, resumes},
		{"closed by 1000", func(p *peer) { p.close(1000, "") }, 0, 0, with("1000", resumes)},
		{"closed by 4000", func(p *peer) { p.close(4000, "") }, 0, 0, with("4000", resumes)},
		{"closed by 4008", func(p *peer) { p.close(4008, "") }, 0, 0, with("4008", resumes)},
		{"closed by 4007", func(p *peer) { p.close(4007, "") }, 0, 0, with("4007", identifies)},
		{"closed by 4009", func(p *peer) { p.close(4009, "") }, 0, 0, with("4009", identifies)},
		{"no JSON", func(p *peer) { p.send(`{"op":`) }, 4000, 0, resumes},
		{"no acks", func(p *peer) { p.expect(opHeartbeat); p.expect(opHeartbeat) }, 4000, 0, resumes},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGateway(t)
				c := start(t, g, nil)
				p := g.accept()
				p.ready()
				p.send(`{"op":0,"t":"MESSAGE_CREATE","s":5,"d":{}}`)
				c.take()
				if test.name == "no acks" {
					p.expect(opHeartbeat)
					want(t, "close code", p.ends(), 4000)
				} else {
					test.end(p)
					if code := p.ends(); test.code != 0 && code != test.code {
						t.Errorf("close code %d, want %d", code, test.code)
					}
				}
				from := time.Now()
				q := g.accept()
				want(t, "waited", time.Since(from), test.wait)
				if test.story[len(test.story)-1] == "resuming" {
					want(t, "url", q.url, "resume.example/?encoding=json&v=10")
					want(t, "RESUME", string(q.expect(opResume).Data), `{"seq":5,"session_id":"s1","token":"secret"}`)
				} else {
					want(t, "url", q.url, "gateway.example/?encoding=json&v=10")
					q.expect(opIdentify)
				}
				want(t, "told", c.take(), test.story)
				c.cancel()
				q.ends()
				<-c.ended
			})
		})
	}
}

// TestLapsed: a session that another process may have is resumed once a minute; one that is surely
// ours at once, and so is the first time.
func TestLapsed(t *testing.T) {
	for _, lapsed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			g := newGateway(t)
			c := start(t, g, func(cfg *Config, _ *told) { cfg.Lapsed = func() bool { return lapsed } })
			p := g.accept()
			p.ready()
			for i, waited := range []time.Duration{0, time.Minute, time.Minute} {
				if i > 0 && !lapsed {
					waited = 0
				}
				from := time.Now()
				p.close(4000, "Session resumed elsewhere.")
				p.ends()
				p = g.accept()
				p.expect(opResume)
				p.send(`{"op":0,"t":"RESUMED","s":2,"d":{}}`)
				synctest.Wait()
				want(t, "waited", time.Since(from), waited)
			}
			c.cancel()
			p.ends()
			<-c.ended
		})
	}
}

func TestFatal(t *testing.T) {
	for _, code := range []int{4004, 4010, 4011, 4012, 4013, 4014} {
		synctest.Test(t, func(t *testing.T) {
			g := newGateway(t)
			c := start(t, g, nil)
			p := g.accept()
			p.expect(opIdentify)
			c.take()
			p.close(code, "Authentication failed.")
			err := <-c.ended
			want(t, "Run", err, error(&FatalError{code, "Authentication failed."}))
			want(t, "told", c.take(), []string{fmt.Sprintf("failed %d", code)})
		})
	}
	want(t, "text", (&FatalError{4004, "fake 4004"}).Error(), "shard can not be connected because it received close code 4004 with reason fake 4004") // PROTOCOL A3
}

// TestHeart: the first beat comes after interval × rand, then one every interval; op 1 is answered,
// but not twice a second; the seq is the last that came.
func TestHeart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		var latency []time.Duration
		c := start(t, g, func(cfg *Config, _ *told) { cfg.Latency = func(d time.Duration) { latency = append(latency, d) } })
		p := g.accept()
		from := time.Now()
		var beats []string
		beat := func() {
			f := p.expect(opHeartbeat)
			beats = append(beats, fmt.Sprintf("%s %s", time.Since(from), f.Data))
		}
		p.ready()
		beat()
		time.Sleep(120 * time.Millisecond)
		p.send(`{"op":11}`)
		p.send(`{"op":0,"t":"MESSAGE_CREATE","s":9,"d":{}}`)
		beat()
		p.send(`{"op":11}`)
		p.send(`{"op":1,"d":null}`) // a beat was just sent
		time.Sleep(2 * time.Second)
		p.send(`{"op":1,"d":null}`)
		beat()
		p.send(`{"op":11}`)
		beat()
		want(t, "beats", beats, []string{"20s 1", "1m0s 9", "1m2s 9", "1m40s 9"})
		synctest.Wait()
		want(t, "latency", latency, []time.Duration{120 * time.Millisecond, 0, 0})
		c.cancel()
		p.ends()
		<-c.ended
	})
}

// TestOutage: connect errors are retried forever, slower and slower, and the session's own URL is
// given up for the general one.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.setDown(true)
		var ended time.Time
		c := start(t, g, func(cfg *Config, l *told) {
			cfg.Resume = &messages.Session{SessionID: "old", Seq: 42, ResumeGatewayURL: "ws://resume.example"}
			cfg.Ended = func(error) { ended = time.Now() }
			cfg.State = func(s messages.ShardState, _ int) {
				if s == messages.ShardConnecting && !ended.IsZero() {
					l.add(time.Since(ended).String())
				}
			}
		})
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		want(t, "waits", c.take()[:8], []string{"0s", "1s", "2s", "4s", "8s", "16s", "30s", "30s"})
		g.setDown(false)
		p := g.accept()
		want(t, "url", p.url, "gateway.example/?encoding=json&v=10")
		want(t, "RESUME", string(p.expect(opResume).Data), `{"seq":42,"session_id":"old","token":"secret"}`)
		p.send(`{"op":0,"t":"RESUMED","s":43,"d":{}}`)
		synctest.Wait()
		want(t, "seq", c.Session().Seq, 43)
		c.Close(time.Now(), true)
		want(t, "close code", p.ends(), 1000)
		want(t, "Run", <-c.ended, nil)
		want(t, "told last", c.take(), []string{"30s", "gone"})
	})
}

func TestBackoff(t *testing.T) {
	for _, test := range []struct {
		fails int
		rand  float64
		want  time.Duration
	}{
		{0, 0.9, 0}, {1, 0, 800 * time.Millisecond}, {1, 0.5, time.Second}, {2, 0.5, 2 * time.Second}, {6, 0.5, 30 * time.Second}, {1000, 0, 24 * time.Second},
	} {
		want(t, fmt.Sprint(test.fails, " ", test.rand), backoff(test.fails, test.rand), test.want)
	}
}

func TestNoHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		ended := make(chan error, 1)
		c := start(t, g, func(cfg *Config, _ *told) { cfg.Ended = func(err error) { ended <- err } })
		from := time.Now()
		want(t, "close code", g.silent().ends(), 4000)
		want(t, "waited", time.Since(from), helloTimeout)
		want(t, "Ended", (<-ended).Error(), "no HELLO within 20s")
		p := g.silent()
		p.send(`{"op":11}`)
		p.ends()
		want(t, "Ended", (<-ended).Error(), "first gateway packet has op 11: want HELLO (op 10) with a heartbeat_interval")
		c.cancel()
		<-c.ended
	})
}

// TestGatewayHook: where the gateway is gets asked until it is known, but not by a shard that can
// resume; a refused token ends Run.
func TestGatewayHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		answers := []any{errors.New("503"), "not a url", "ws://gateway.example", error(&UnauthorizedError{})}
		c := start(t, g, func(cfg *Config, l *told) {
			cfg.Gateway = func(context.Context) (string, error) {
				a := answers[0]
				answers = answers[1:]
				if err, ok := a.(error); ok {
					return "", err
				}
				return a.(string), nil
			}
			cfg.Ended = func(err error) { l.add(err.Error()) }
		})
		p := g.accept()
		p.ready()
		p.send(`{"op":7}`)
		p.ends()
		q := g.accept()
		q.expect(opResume)
		c.take()
		q.send(`{"op":9,"d":false}`)
		q.ends()
		err := <-c.ended
		want(t, "Run", fmt.Sprint(err), "find the gateway: Invalid token provided")
		want(t, "told", c.take(), []string{"gone", "disconnected", "invalid session (op 9)", "connecting", "failed 4004"})
	})
}

func TestAddress(t *testing.T) {
	for _, test := range []struct{ base, want string }{
		{"wss://gateway.discord.gg", "wss://gateway.discord.gg/?encoding=json&v=10"},
		{"ws://127.0.0.1:8080/gateway?v=9", "ws://127.0.0.1:8080/gateway?encoding=json&v=10"},
		{"", ""}, {"gateway.example", ""}, {"http://gateway.example", ""}, {"ws://", ""}, {"%", ""},
	} {
		got, err := address(test.base)
		if got != test.want || (err == nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), "want ws:// or wss:// and a host") {
			t.Errorf("%q: %q, %v, want %q", test.base, got, err, test.want)
		}
	}
}
