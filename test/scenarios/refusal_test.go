package scenarios

import (
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/actors/master"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/rules"
)

// Discord demands not to be asked for hours, and is not, however often MASTER restarts in that
// time. It is reported, with what an impatient operator can do. Then everything starts.
func TestDiscordWantsNotToBeAsked(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 8, MaxConcurrency: 4})
		asked, until := 0, 23*time.Hour
		own := f.withOwnMaster(1)
		own.HTTP = func(r world.Request) (world.Response, error) {
			if asked++; f.loop.Now() < until {
				return world.Response{Status: 429, Header: map[string]string{"Retry-After": "82800", "Content-Type": "text/html"}, Body: []byte("<html>Error 1015</html>")}, nil
			}
			return f.discord.HTTP(r)
		}
		f.add("m1", f.good(nil), sesame)
		for f.loop.Now() < until-5*time.Hour {
			f.pass(time.Second + f.upTo(4*time.Hour))
			own.Crash()
			own.start()
		}
		want(f, "questions", asked, 1)
		f.must("every shard READY", 6*time.Hour, f.owned(8))
		for _, e := range own.events {
			if e, is := e.(messages.DiscordUnreachable); is && (!strings.Contains(e.Err, "GET /api/v10/gateway/bot: status 429") || e.Hint == "") {
				f.t.Fatalf("%+v", e)
			}
		}
		want(f, "discord.unreachable", own.saw("discord.unreachable") > 0, true)
	})
}

// The way out of that wait: both figures by hand.
func TestNobodyNeedsToAsk(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 8, MaxConcurrency: 4})
		own := f.withOwnMaster(1)
		own.HTTP = func(world.Request) (world.Response, error) {
			return world.Response{Status: 429, Header: map[string]string{"Retry-After": "82800"}}, nil
		}
		f.add("m1", f.good(nil), sesame)
		f.pass(time.Minute)
		want(f, "identifies", f.identifies(), 0)
		own.Crash()
		own.options.Shards, own.options.MaxConcurrency = 8, 4
		own.start()
		f.must("every shard READY", 2*time.Minute, f.owned(8))
	})
}

// An answer that makes no sense is asked for again ever more slowly, and reported once.
func TestDiscordMakesNoSense(t *testing.T) {
	for name, answer := range map[string]world.Response{
		"HTML":     {Status: 200, Body: []byte("<html>maintenance</html>")},
		"no limit": {Status: 200, Body: []byte(`{"url":"wss://gateway.discord.gg","shards":8}`)},
		"its own":  {Status: 500, Body: []byte("upstream connect error")},
		"redirect": {Status: 302, Header: map[string]string{"Location": "https://portal.example/"}},
	} {
		t.Run(name, func(t *testing.T) {
			seedsOf(t, 3, func(f *fleet) {
				f.withDiscord(rules.Config{ShardCount: 8, MaxConcurrency: 4})
				asked := 0
				own := f.withOwnMaster(1, func(*master.Options) {})
				own.HTTP = func(world.Request) (world.Response, error) { asked++; return answer, nil }
				f.pass(time.Hour)
				if asked > 25 {
					f.t.Fatalf("asked %d times in an hour", asked)
				}
				want(f, "discord.unreachable", own.saw("discord.unreachable"), 1)
				own.HTTP = f.discord.HTTP
				f.add("m1", f.good(nil), sesame)
				f.must("every shard READY", 8*time.Minute, f.owned(8))
			})
		})
	}
}
