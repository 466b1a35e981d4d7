//go:build linux

package bench

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/bot"
)

// sdkInstance is a cluster process as a Go bot is.
type sdkInstance struct {
	*bot.Cluster

	mu      sync.Mutex
	left    int // messages to receive
	n       int
	since   time.Time // the first of them
	credits net.Conn
	done    chan error
}

// onSDK serves its shards, which are READY without Discord, and obeys.
func onSDK() error {
	ctx := context.Background()
	i := &sdkInstance{}
	c, err := bot.Join(ctx, bot.Log(slog.New(slog.DiscardHandler)),
		bot.Handle("answer", func(context.Context, bot.Request) (any, error) { return 42, nil }),
		bot.Messages(i.message))
	if err != nil {
		return err
	}
	i.Cluster = c
	var once sync.Once
	return c.Run(ctx, func(ctx context.Context, s *bot.Shard) error {
		permit, err := s.Permit(ctx, messages.CauseStart)
		if err != nil {
			return err
		}
		permit.Sent()
		s.State(messages.ShardReady, 0)
		once.Do(func() {
			go func() {
				_ = obey(c.ID().String(), i.do)
				os.Exit(0) // the benchmark is over, with or without an error
			}()
		})
		<-c.Stopping()
		return nil
	})
}

func (i *sdkInstance) do(o order) (figures, error) {
	began := time.Now()
	switch o.Do {
	case "ask":
		var to []messages.ClusterID
		for _, id := range o.Targets {
			to = append(to, messages.ClusterID(id))
		}
		each := make([]time.Duration, 0, o.N)
		for range o.N {
			at := time.Now()
			answers, err := bot.Ask[int](context.Background(), i.Cluster, bot.Clusters(to...), "answer", nil)
			if err != nil || len(answers) != len(to) || len(to) > 0 && answers[0].Err != nil {
				return figures{}, fmt.Errorf("answers %v, %w", answers, err)
			}
			each = append(each, time.Since(at))
		}
		return spread(time.Since(began), each), nil
	case "send":
		text := strings.Repeat("x", o.Size)
		earned, err := dialled(o.Credits)
		if err != nil {
			return figures{}, err
		}
		defer earned.Close()
		err = paced(earned, o.N, func() error { _, err := i.Notify(bot.Clusters(1), text); return err })
		return figures{Took: time.Since(began)}, err
	case "receive":
		credits, stop, err := creditor(o.Credits)
		if err != nil {
			return figures{}, err
		}
		defer stop()
		i.mu.Lock()
		i.left, i.n, i.credits, i.done = o.N, o.N, credits, make(chan error, 1)
		i.mu.Unlock()
		if err = pay(credits, advance(o.Size)); err == nil {
			err = within(i.done)
		}
		return figures{Took: time.Since(i.since)}, err
	}
	return figures{}, fmt.Errorf("no such order: %s", o.Do)
}

// message counts one message.
func (i *sdkInstance) message(bot.Message) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.left == i.n {
		i.since = time.Now()
	}
	if i.left--; i.left > 0 && (i.n-i.left)%batch != 0 {
		return
	}
	var err error
	if i.left > 0 {
		err = pay(i.credits, 1)
	}
	if i.left == 0 || err != nil {
		i.done <- err
	}
}
