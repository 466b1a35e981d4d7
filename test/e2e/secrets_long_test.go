//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A bot writes its token into its output, whole, over two lines and as JSON escapes it, and dies
// until CONTROL gives up. No output of CONTROL has it: not the log, the API, the hooks or the
// webhook. The bot's own log file does.
func TestSecretsNowhere(t *testing.T) {
	t.Parallel()
	d := startDiscord(t, 1, 1)
	dir, err := os.MkdirTemp(home, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var posted text
	webhook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(&posted, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer webhook.Close()
	hooked := filepath.Join(dir, "hooked")
	bot := script("bot", `printf 'login with %s failed\n' "$DISCORD_TOKEN"
printf '%s\n' "$DISCORD_TOKEN" | sed 's/^\(..........\)/\1\
/'
printf '%s\n' "$DISCORD_TOKEN" | sed 's/\./\\u002e/g'
exit 1
`)
	p := control(t, settings{"state.dir": dir, "machine.source": "e2e", "discord.token": token, "discord.api": d.base, "admin.listen": "127.0.0.1:0",
		"hooks.exec": script("hook", "cat >> "+hooked+"\n"), "hooks.webhook": webhook.URL + "/api/webhooks/1/" + authorization}.variables(), "run", "--", bot)
	p.line("cluster.gave_up")
	at := "http://" + fmt.Sprint(p.line("admin listens")["listen"])
	read := func(route string) string {
		answer, err := direct.Get(at + route)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	var hook string
	eventually(t, "hook and webhook hear that the cluster gave up", func() bool {
		b, _ := os.ReadFile(hooked)
		hook = string(b)
		return strings.Contains(hook, "cluster.gave_up") && strings.Contains(posted.String(), "cluster.gave_up")
	})
	joined := strings.NewReplacer(`\\u002e`, ".", `\u002e`, ".", `\\n`, "", `\n`, "", "\n", "")
	for where, what := range map[string]string{"the log": p.stderr.String(), "the hook": hook, "the webhook": posted.String(),
		"the events": read("/api/v1/events?level=debug"), "the clusters": read("/api/v1/clusters"), "the machine": read("/api/v1/machine")} {
		wantSilent(t, where, joined.Replace(what))
		if strings.Contains(what, "login with") && !strings.Contains(what, "login with [redacted] failed") {
			t.Errorf("%s lacks what the bot printed: %s", where, what)
		}
	}
	if !strings.Contains(p.stderr.String(), "login with [redacted] failed") {
		t.Errorf("the log does not have the bot's last words: %s", p.stderr.String())
	}
	p.stop()
}
