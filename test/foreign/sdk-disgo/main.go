// Command sdk-disgo is a cluster process with disgo as its gateway client: CONTROL's Go SDK
// together with a library that does not know it. DISCORD_API replaces the address of Discord's API.
//
// disgo has two rate limiters that a user may replace, and CONTROL's permits fit in there: the one
// before a login asks for the permit, the one before each send reports that it was used (pace.go).
// disgo also takes and reports a session, so that the next process resumes what this one served: a
// crash costs no IDENTIFY. This bot keeps no cache, which a RESUME would not fill.
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
	"github.com/gorilla/websocket"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/bot"
)

// intents are the bot's intents, none of them privileged.
const intents = gateway.IntentGuilds | gateway.IntentGuildMessages

// closeWithin bounds the time that a connection takes to close.
const closeWithin = 2 * time.Second

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "disgo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	c, err := bot.Join(ctx, bot.Intents(int64(intents)), bot.Resume())
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

// serve runs one shard: disgo connects and reconnects it, until the cluster stops or Discord
// refuses for good.
func serve(ctx context.Context, c *bot.Cluster, s *bot.Shard, url string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	logins := &logins{shard: s, cause: messages.CauseStart}
	options := []gateway.ConfigOpt{
		gateway.WithURL(url), gateway.WithShardID(s.ID()), gateway.WithShardCount(s.Count()), gateway.WithIntents(intents),
		gateway.WithIdentifyRateLimiter(logins), gateway.WithRateLimiter(&sends{gateway.NewRateLimiter(), logins}),
		gateway.WithCloseHandler(func(_ gateway.Gateway, err error, _ bool) { failed <- err }),
		gateway.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))),
	}
	if session := s.Session(); session != nil {
		logins.cause = messages.CauseReidentify // if Discord refuses it
		options = append(options, gateway.WithSessionID(session.SessionID), gateway.WithSequence(int(session.Seq)), gateway.WithResumeURL(session.ResumeGatewayURL))
		s.State(messages.ShardResuming, 0)
	}
	g := gateway.New(c.Token().Reveal(), handler(s), options...)
	open := func() {
		if err := g.Open(ctx); err != nil && ctx.Err() == nil {
			failed <- err
		}
	}
	go open()
	for {
		select {
		case <-s.Reconnect():
			closeWith(g, closeResumable)
			go open()
		case <-c.Stopping():
			cancel()
			code := closeResumable
			if c.Stop().Final {
				code = websocket.CloseNormalClosure
			}
			closeWith(g, code)
			return nil
		case err := <-failed:
			return err
		}
	}
}

// handler handles the events of a shard: this bot ignores all. Handled events are not sent again to
// the next process.
func handler(s *bot.Shard) gateway.EventHandlerFunc {
	return func(g gateway.Gateway, kind gateway.EventType, seq int, event gateway.EventData) {
		if kind == gateway.EventTypeHeartbeatAck || g.SessionID() == nil {
			return
		}
		session := messages.Session{SessionID: *g.SessionID(), Seq: int64(seq), ResumeGatewayURL: *g.ResumeURL()}
		switch event := event.(type) {
		case gateway.EventReady:
			session.UserID, session.ApplicationID = event.User.ID.String(), event.Application.ID.String()
			for _, guild := range event.Guilds {
				session.Guilds = append(session.Guilds, guild.ID.String())
			}
			s.State(messages.ShardReady, 0)
		case gateway.EventResumed:
			s.State(messages.ShardReady, 0)
		}
		s.SetSession(session)
	}
}

// closeResumable is a code that keeps the session.
const closeResumable = 4000

func closeWith(g gateway.Gateway, code int) {
	ctx, done := context.WithTimeout(context.Background(), closeWithin)
	defer done()
	g.CloseWithCode(ctx, code, "")
}
