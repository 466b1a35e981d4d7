//go:build linux

package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/client"
)

// discordVariable names the address of the simulated Discord, even with a proxy in front of it.
const discordVariable = "BENCH_DISCORD"

// plainBot is a bot of one shard that knows nothing of CONTROL. It posts messages at Discord and
// waits until they come back to it as events.
type plainBot struct {
	posts   string // the URL that posts a message
	message chan struct{}
}

// leave is a permit to identify at once.
type leave struct{}

func (leave) Overdue() bool { return false }
func (leave) Sent()         {}
func (leave) Unused()       {}

// onGateway runs a plainBot and obeys.
func onGateway() error {
	ctx := context.Background()
	token := messages.Secret(os.Getenv("DISCORD_TOKEN"))
	gateway, err := client.GatewayURL(ctx, os.Getenv("DISCORD_API"), token)
	if err != nil {
		return err
	}
	p := &plainBot{message: make(chan struct{}, 1024)}
	ended := make(chan error, 2)
	c := client.New(client.Config{
		Token: token, ShardCount: 1, Intents: 513,
		Gateway: func(context.Context) (string, error) { return gateway, nil },
		Permit:  func(context.Context, messages.IdentifyCause) (client.Permit, error) { return leave{}, nil },
		Event: func(_ context.Context, e client.Event) {
			switch e.Kind {
			case "GUILD_CREATE":
				if p.posts != "" {
					return
				}
				var guild struct {
					Channels []struct {
						ID   string
						Type int
					}
				}
				if err := json.Unmarshal(e.Data, &guild); err != nil {
					ended <- err
					return
				}
				for _, c := range guild.Channels {
					if c.Type == 0 { // text
						p.posts = os.Getenv(discordVariable) + "/api/v10/channels/" + c.ID + "/messages"
					}
				}
				go func() { ended <- obey("0", p.do) }()
			case "MESSAGE_CREATE":
				p.message <- struct{}{}
			}
		},
	})
	go func() { ended <- c.Run(ctx) }()
	return <-ended
}

// do posts N messages of a size and waits until they come back: one after the other, or many at
// once.
func (p *plainBot) do(o order) (figures, error) {
	began := time.Now()
	text := strings.Repeat("x", o.Size)
	if o.Do == "post" {
		each := make([]time.Duration, 0, o.N)
		for range o.N {
			at := time.Now()
			if err := p.post(text); err != nil {
				return figures{}, err
			}
			if err := p.heard(1); err != nil {
				return figures{}, err
			}
			each = append(each, time.Since(at))
		}
		return spread(time.Since(began), each), nil
	}
	const posters = 16
	posted := make(chan error, posters)
	for range posters {
		go func() {
			for range o.N / posters {
				if err := p.post(text); err != nil {
					posted <- err
					return
				}
			}
			posted <- nil
		}()
	}
	err := p.heard(o.N / posters * posters)
	for range posters {
		err = errors.Join(err, <-posted)
	}
	return figures{Took: time.Since(began)}, err
}

// heard waits for n messages.
func (p *plainBot) heard(n int) error {
	late := time.After(time.Minute)
	for ; n > 0; n-- {
		select {
		case <-p.message:
		case <-late:
			return fmt.Errorf("%d messages did not come back", n)
		}
	}
	return nil
}

func (p *plainBot) post(content string) error {
	body, err := json.Marshal(map[string]string{"content": content})
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPost, p.posts, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bot "+os.Getenv("DISCORD_TOKEN"))
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("POST of a message: %s", answer.Status)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// withBot starts a simulated Discord with a guild and a bot of one shard: behind a gateway host,
// which is then the process in the middle, or connected to Discord.
func withBot(b testing.TB, hosted bool) *stage {
	s := newStage(b)
	env := append(s.settings(1, 1, "--guilds", "1"), roleVariable+"=gateway", "CONTROL_LOG__LEVEL=error")
	if !hosted {
		s.middle = s.spawn(env, os.Args[0])
		return s.gather(1)
	}
	control := s.spawn(append(env, "CONTROL_CLUSTER__PROTOCOL=gateway"), binary(b), "run", "--", os.Args[0])
	s.gather(1)
	s.middle = s.children(control)[0]
	return s
}

// BenchmarkGateway measures events of 2 KiB from Discord to a bot behind a gateway host, beside a
// bot that is connected to Discord itself: one at a time, where what it takes longer is what the
// host adds, and many at once, for the host's CPU time.
func BenchmarkGateway(b *testing.B) {
	const size = 1800 // of the content: the event is 2 KiB
	direct, hosted := withBot(b, false), withBot(b, true)
	b.Run("one", func(b *testing.B) {
		const n = 1000
		post := func(s *stage) figures { return s.do(0, order{Do: "post", N: n, Size: size}) }
		d, h := &rival{name: "direct", stage: direct, run: post}, &rival{name: "host", stage: hosted, run: post}
		turns(b, n, d, h)
		µs := func(all []time.Duration) float64 { return float64(median(all).Nanoseconds()) / 1000 }
		b.ReportMetric(µs(h.p50)-µs(d.p50), "added-p50-µs")
		b.ReportMetric(µs(h.p99)-µs(d.p99), "added-p99-µs")
	})
	b.Run("many", func(b *testing.B) {
		const n = 10_000
		flood := func(s *stage) figures { return s.do(0, order{Do: "flood", N: n, Size: size}) }
		turns(b, n, &rival{name: "direct", stage: direct, run: flood}, &rival{name: "host", stage: hosted, run: flood})
	})
}
