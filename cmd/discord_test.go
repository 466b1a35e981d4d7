package cmd

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/discluster/control/cmd/daemon"
)

// A simulated Discord that cannot exist is refused, with every flag, its value and its rule.
func TestDiscordFlags(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	c := discordCommand()
	c.SetArgs(strings.Fields("--listen 127.0.0.1:0 --shards -1 --max-concurrency 0 --guilds -1 --jitter -5s --events NaN --session-window 0s"))
	c.SilenceErrors, c.SilenceUsage = true, true
	err := c.ExecuteContext(ended)
	var usage daemon.UsageError
	if !errors.As(err, &usage) {
		t.Fatalf("got %v, want a UsageError", err)
	}
	for _, want := range []string{"--shards -1", "--max-concurrency 0", "--guilds -1", "--jitter -5s", "--events NaN", "--session-window 0s"} {
		if !strings.Contains(err.Error(), want+": want ") {
			t.Errorf("%s is missing in %v", want, err)
		}
	}
}
