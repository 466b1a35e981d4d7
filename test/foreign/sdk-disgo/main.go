// Command disgo is a cluster process with disgo as its gateway client: how CONTROL's Go SDK and a library that knows nothing of it come together. It is a module of its own, so
// that disgo is nobody else's dependency. DISCORD_API names another API than Discord's.
//
// disgo has two rate limiters that a user may replace, and CONTROL's permits fit in there: the one before a login asks for the permit, the one before each send reports that
// it was used (pace.go). What disgo cannot do is keep a session for the next process, so this bot does not announce bot.Resume, and ends its connections with 1000.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/disgoorg/disgo/gateway"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/bot"
)

// intents are what this bot looks at: none is privileged.
const intents = gateway.IntentGuilds | gateway.IntentGuildMessages

// closeWithin is how long a connection may take to close.
const closeWithin = 2 * time.Second

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "disgo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	c, err := bot.Join(ctx, bot.Intents(int64(intents)))
	if err != nil {
		return err
	}
	url, err := gatewayURL(ctx, cmp.Or(os.Getenv("DISCORD_API"), "https://discord.com"), c.Token().Reveal())
	if err != nil {
		return c.Fail(err)
	}
	return c.Run(ctx, func(ctx context.Context, s *bot.Shard) error { return serve(ctx, c, s, url) })
}

// gatewayURL asks Discord where its gateway is.
func gatewayURL(ctx context.Context, api, token string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, api+"/api/v10/gateway/bot", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bot "+token)
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET /gateway/bot: %s", r.Status)
	}
	var answer struct{ URL string }
	if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
		return "", fmt.Errorf("GET /gateway/bot: %w", err)
	}
	return answer.URL, nil
}

// serve is the life of one shard: disgo connects and reconnects it, until the cluster stops or Discord refuses for good.
func serve(ctx context.Context, c *bot.Cluster, s *bot.Shard, url string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	logins := &logins{shard: s, cause: messages.CauseStart}
	g := gateway.New(c.Token().Reveal(),
		func(_ gateway.Gateway, _ gateway.EventType, _ int, event gateway.EventData) {
			switch event.(type) {
			case gateway.EventReady, gateway.EventResumed:
				s.State(messages.ShardReady, 0)
			}
		},
		gateway.WithURL(url), gateway.WithShardID(s.ID()), gateway.WithShardCount(s.Count()), gateway.WithIntents(intents),
		gateway.WithIdentifyRateLimiter(logins), gateway.WithRateLimiter(&sends{gateway.NewRateLimiter(), logins}),
		gateway.WithCloseHandler(func(_ gateway.Gateway, err error, _ bool) { failed <- err }),
		gateway.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))),
	)
	go func() {
		if err := g.Open(ctx); err != nil {
			failed <- err
		}
	}()
	select {
	case <-c.Stopping():
		cancel()
		closing, done := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
		defer done()
		g.Close(closing)
		return nil
	case err := <-failed:
		return err
	}
}
