//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// node finds node and the packages of node/, or skips the test; in CI (.ci/run) they have to be there.
func node(t *testing.T) string {
	t.Helper()
	missing := t.Skip
	if os.Getenv("CI") != "" {
		missing = t.Fatal
	}
	program, err := exec.LookPath("node")
	if err != nil {
		missing("skipped: node is not installed")
	}
	if _, err := os.Stat("node/node_modules"); err != nil {
		missing("skipped: the packages are not installed; run `npm ci` in test/e2e/node")
	}
	return program
}

// @discordjs/ws, with its own pace, takes the simulated Discord for Discord: it connects every shard, and resumes each after op 7.
func TestDiscordJS(t *testing.T) {
	t.Parallel()
	program := node(t)
	for _, compress := range []string{"none", "zlib-stream"} {
		t.Run(compress, func(t *testing.T) {
			t.Parallel()
			d := startDiscord(t, 4, 2, "--events", "2", "--jitter", "20ms")
			bot := start(t, []string{"DISCORD_TOKEN=" + token, "DISCORD_API=" + d.base}, program, "node/foreign.mjs", compress)
			d.allReady()
			eventually(t, "the bot has every shard", func() bool { return strings.Contains(bot.stdout.String(), "all ready") })
			d.fault(`{"kind":"reconnect"}`)
			eventually(t, "every shard has resumed", func() bool { return strings.Count(bot.stdout.String(), "resumed ") == 4 })
			bot.stop()
			d.wellBehaved()
			if s := d.stats(); s.Resumes != 4 || s.ResumesRefused != 0 || s.ResumesElsewhere != 0 {
				t.Errorf("%d resumes, %d refused, %d elsewhere", s.Resumes, s.ResumesRefused, s.ResumesElsewhere)
			}
			if said := bot.stderr.String(); said != "" {
				t.Errorf("it complains: %s", said)
			}
		})
	}
}

// disgo, under CONTROL: the SDK asks for its permits, disgo identifies, resumes after op 7, and ends when CONTROL does.
func TestDisgo(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "disgo")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, ".")
	build.Dir = "../foreign/sdk-disgo"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build disgo: %v\n%s", err, out)
	}
	d := startDiscord(t, 4, 2, "--jitter", "20ms")
	p := run(t, d.settings(), program)
	d.allReady()
	eventually(t, "CONTROL knows", func() bool { return len(p.lines("cluster.ready")) == 2 })
	d.fault(`{"kind":"reconnect"}`)
	eventually(t, "every shard has resumed", func() bool {
		s := d.stats()
		return s.Resumes == 4 && s.Owned == 4
	})
	p.stop()
	d.wellBehaved()
	if all := p.complaints(); len(all) > 0 {
		t.Errorf("complaints: %v", all)
	}
}
