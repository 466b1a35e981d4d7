package events_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/actors/events"
	"github.com/discluster/control/actors/world"
)

const webhookURL = "https://discord.example/api/webhooks/1/hunter2"

var webhook = events.Webhook(events.WebhookOptions{URL: webhookURL, Machine: "blade-7"})

// channel is Discord behind a webhook: it answers by script, else it accepts.
type channel struct {
	t        *testing.T
	answer   func(request int) (world.Response, error)
	slow     time.Duration
	times    []time.Time
	embeds   []int    // of each request
	accepted []string // clusters of the accepted events
}

func (c *channel) world() world.World {
	return world.World{Fetch: func(r world.Request, done func(world.Response, error)) func() {
		c.times = append(c.times, time.Now())
		var m struct {
			Embeds []struct{ Fields []struct{ Value string } }
		}
		if err := json.Unmarshal(r.Body, &m); err != nil || r.Method != "POST" || r.URL != webhookURL || r.Header["Content-Type"] != "application/json" || r.Timeout == 0 {
			c.t.Errorf("%+v: %v", r, err)
		}
		c.embeds = append(c.embeds, len(m.Embeds))
		answer, err := world.Response{Status: 204}, error(nil)
		if c.answer != nil {
			answer, err = c.answer(len(c.times))
		}
		if answer.Status == 204 {
			for _, e := range m.Embeds {
				c.accepted = append(c.accepted, e.Fields[0].Value)
			}
		}
		time.AfterFunc(c.slow, func() { done(answer, err) })
		return func() {}
	}}
}

// numbers returns what accepted should be.
func numbers(from, to int) string {
	var all []string
	for n := from; n < to; n++ {
		all = append(all, fmt.Sprint(n))
	}
	return strings.Join(all, " ")
}

func TestWebhookBatches(t *testing.T) {
	c := &channel{t: t, slow: 100 * time.Millisecond}
	play(t, webhook, c.world(), func(s *stage) {
		for n := range 26 {
			s.send(died(n))
		}
		s.pass(time.Minute)
		if got := fmt.Sprint(c.embeds); got != "[1 10 10 5]" {
			t.Errorf("got %s", got)
		}
		if got := strings.Join(c.accepted, " "); got != numbers(0, 26) {
			t.Errorf("accepted %s", got)
		}
	})
}

func TestWebhookKeepsItsPace(t *testing.T) {
	c := &channel{t: t}
	play(t, webhook, c.world(), func(s *stage) {
		for n := range 100 {
			s.send(died(n))
			s.pass(50 * time.Millisecond)
		}
		s.pass(time.Minute)
		for i := 5; i < len(c.times); i++ {
			if d := c.times[i].Sub(c.times[i-5]); d < 2*time.Second {
				t.Errorf("requests %d to %d in %v", i-5, i, d)
			}
		}
		if got := strings.Join(c.accepted, " "); got != numbers(0, 100) || s.log.Len() > 0 {
			t.Errorf("accepted %s; log %s", got, s.log)
		}
	})
}

// A refused message is retried as the answer asks; nothing is posted twice, and the order stays.
func TestWebhookAsksAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		answer world.Response
		err    error
		wait   time.Duration
	}{
		"too many":  {world.Response{Status: 429, Body: []byte(`{"message":"You are being rate limited.","retry_after":3.5,"global":false}`)}, nil, 3500 * time.Millisecond},
		"its fault": {world.Response{Status: 502, Body: []byte("<html>")}, nil, time.Second},
		"no answer": {world.Response{}, errors.New("connection refused"), time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			c := &channel{t: t, answer: func(request int) (world.Response, error) {
				if request == 1 {
					return tc.answer, tc.err
				}
				return world.Response{Status: 204}, nil
			}}
			play(t, webhook, c.world(), func(s *stage) {
				s.send(died(0), died(1))
				s.pass(time.Minute)
				if got := strings.Join(c.accepted, " "); got != numbers(0, 2) || s.log.Len() > 0 {
					t.Errorf("accepted %s; log %s", got, s.log)
				}
				if d := c.times[1].Sub(c.times[0]); d != tc.wait {
					t.Errorf("asked again after %v", d)
				}
			})
		})
	}
}

// The address is in no log, even where an error holds it; events that are refused for too long are
// lost, which is reported once.
func TestWebhookThatIsNotThere(t *testing.T) {
	for name, tc := range map[string]struct {
		answer   world.Response
		err      error
		requests int
	}{
		"gone":      {world.Response{Status: 404, Body: []byte(`{"message":"Unknown Webhook","code":10015}`)}, nil, 2},
		"no answer": {world.Response{}, fmt.Errorf("Post %q: %s: no such host", webhookURL, webhookURL), 14},
	} {
		t.Run(name, func(t *testing.T) {
			c := &channel{t: t, answer: func(int) (world.Response, error) { return tc.answer, tc.err }}
			play(t, webhook, c.world(), func(s *stage) {
				s.send(died(0))
				s.pass(5 * time.Minute)
				s.send(died(1))
				s.pass(5 * time.Minute)
				if len(c.times) != tc.requests || s.logged("webhook refuses events") != 1 || s.logged("hunter2") != 0 || s.lost != 2 {
					t.Errorf("%d requests, log %s", len(c.times), s.log)
				}
				c.answer = nil
				s.send(died(2))
				s.pass(time.Minute)
				if got := strings.Join(c.accepted, " "); got != "2" {
					t.Errorf("accepted %s once it is there again", got)
				}
			})
		})
	}
}

func TestWebhookOverflow(t *testing.T) {
	c := &channel{t: t, answer: func(request int) (world.Response, error) {
		if request == 1 {
			return world.Response{Status: 429, Body: []byte(`{"retry_after":60}`)}, nil
		}
		return world.Response{Status: 204}, nil
	}}
	play(t, webhook, c.world(), func(s *stage) {
		for n := range 107 {
			s.send(died(n))
		}
		s.pass(5 * time.Minute)
		if got := strings.Join(c.accepted, " "); got != numbers(0, 100) || s.logged("some are lost") != 1 || s.logged(`"lost":7`) != 1 || s.lost != 7 {
			t.Errorf("accepted %s; log %s", got, s.log)
		}
	})
}
