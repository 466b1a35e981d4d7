//go:build e2e

package e2e

import (
	"maps"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A bot that connects to Discord past its gateway host is left running. It is reported once that it
// does not connect to the host, and, by its sockets, where it connects instead. One behind its host
// is not, though the host's own requests go to the same Discord.
func TestPastTheHost(t *testing.T) {
	t.Parallel()
	for role, want := range map[string]int{"past": 1, "counts": 0} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			d := startDiscord(t, 2, 2, "--guilds", "4", "--events", "20")
			to, err := url.Parse(d.base)
			if err != nil {
				t.Fatal(err)
			}
			// REST is elsewhere than the gateway, as with the real one
			rest := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }})
			t.Cleanup(rest.Close)
			b := startMake(t, d, 2, 2, settings{
				"cluster.env.DISCORD_API": "-", roleSetting: role, "cluster.env." + pastVariable: d.base, "discord.api": rest.URL,
				"cluster.protocol": "gateway", "cluster.hello_timeout": "5s",
			}, self)
			if want == 0 {
				eventually(t, "400 messages, 20 s", func() bool { // three looks at its connections
					all := b.counted()
					return len(all) == 2 && !slices.ContainsFunc(slices.Collect(maps.Values(all)), func(n []int) bool { return len(n) < 400 })
				})
			} else {
				b.logged("gateway.bypassed", 1)
				b.logged("bot.silent", 1)
			}
			lines := b.lines("gateway.bypassed")
			if len(lines) != want || len(b.lines("bot.silent")) != want {
				t.Errorf("%d reports of a connection past the host, %d of a silent bot; want %d of each", len(lines), len(b.lines("bot.silent")), want)
			}
			for _, l := range lines {
				err, _ := l["err"].(string)
				if cure, _ := l["cure"].(string); !strings.Contains(err, to.Host) || !strings.Contains(cure, "--cluster.protocol env") {
					t.Errorf("reported: %v", l)
				}
			}
			b.stop()
		})
	}
}

// While the record of the bot behind a dead host cannot be read it is unknown whether that bot
// lives: none is started, which is reported once. Once it can be read, the bot, which knows another
// address than that of the host of now, is ended, and another one goes on.
func TestBotInDoubt(t *testing.T) {
	t.Parallel()
	d := startDiscord(t, 4, 4, "--guilds", "8", "--events", "20")
	b := startMake(t, d, 4, 4, settings{roleSetting: "counts", "cluster.protocol": "gateway"}, self)
	b.logged("cluster.ready", 1)
	next := b.following(self)
	bot := next("the bot reads messages")
	_, host := b.hosted("0", self)
	b.crash()
	b.signal(host, syscall.SIGKILL)
	record := b.record()
	for _, err := range []error{os.Rename(record, record+".away"), os.Symlink(record, record)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	b.process = b.again()
	b.logged("gateway.bot_unknown", 1)
	b.logged("cluster.ready", 1) // its sessions go on
	if now, _ := b.hosted("0", self); now != bot || len(b.clusters()) != 2 {
		t.Errorf("process %d is the bot, was %d; processes: %v", now, bot, b.clusters())
	}
	if err := os.Rename(record+".away", record); err != nil {
		t.Fatal(err)
	}
	next("another bot reads messages")
	b.logged("gateway.bot_unknown", 2) // it is over
	if died := b.lines("bot.died"); len(died) != 1 || !strings.Contains(died[0]["err"].(string), "cannot listen where the bot connects") {
		t.Errorf("deaths: %v", died)
	}
	b.cared()
	b.stop()
	b.missedNone()
}
