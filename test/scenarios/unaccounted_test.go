package scenarios

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/transport/discord/rules"
)

// stranger sends times identifies with the fleet's token, slowly enough for Discord, from another
// place.
func (f *fleet) stranger(times int) {
	for range times {
		g := f.discord.Open("stranger", func(rules.Output) {})
		g.Send(func(c rules.Conn) rules.Input {
			return rules.Identify{Conn: c, Token: token.Reveal(), Shard: 499, ShardCount: 500}
		})
		f.pass(5 * time.Second)
		g.Close(1000)
		f.pass(time.Second)
	}
}

// A second program spends identifies of the fleet's token: it is reported, with how many, and what
// is likely behind it. Nothing is while only the fleet does.
func TestStrangersIdentifiesAreReported(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 8, MaxConcurrency: 4})
		own := f.withOwnMaster(1)
		f.add("m1", f.good(forgetful), sesame)
		f.must("every shard READY", time.Minute, f.owned(8))
		f.machines["m1"].Processes()[0].Signal(syscall.SIGKILL)
		f.pass(40 * time.Minute)
		want(f, "identify.unaccounted", own.saw("identify.unaccounted"), 0)
		f.stranger(7)
		f.must("it is reported", 16*time.Minute, func() bool { return own.saw("identify.unaccounted") == 1 })
		for _, e := range own.events {
			if e, is := e.(messages.IdentifyUnaccounted); is && (e.Unaccounted != 7 || e.Granted != 0 || e.Total != 1000 || !strings.HasPrefix(e.Likely, "another program")) {
				f.t.Fatalf("%+v", e)
			}
		}
		f.pass(time.Hour)
		want(f, "identify.unaccounted", own.saw("identify.unaccounted"), 1)
	})
}

// Where a bot that cannot ask has just been started, Discord is asked at once: one that begins
// sessions again and again is reported within two minutes.
func TestEnvBotThatLoopsIsReported(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		own := f.envFleet(1, 5, 1, 5, func(e *fakecluster.Env) { e.Boot, e.Silent = time.Second, 0 })
		f.must("it identifies", time.Minute, func() bool { return f.identifies() == 5 })
		f.pass(6 * time.Second)
		f.stranger(9) // as far as Discord knows
		f.must("it is reported", 2*time.Minute, func() bool { return own.saw("identify.unaccounted") > 0 })
		for _, e := range own.events {
			if e, is := e.(messages.IdentifyUnaccounted); is && !strings.Contains(e.Likely, "token") {
				f.t.Fatalf("%+v", e)
			}
		}
	})
}
