package cmd

import (
	"strings"
	"testing"
)

// The shell completes the values of flags that have a few.
func TestFlagsComplete(t *testing.T) {
	for flag, want := range map[string]string{
		"--cluster.protocol": "auto sdk gateway discordoo env",
		"--cluster.guest":    "auto discordjs hybrid none",
		"--cluster.ready":    `after 30s log "Logged in" http://127.0.0.1:{9000+cluster}/`,
	} {
		root := (&program{}).root()
		var out strings.Builder
		root.SetOut(&out)
		root.SetErr(&strings.Builder{})
		root.SetArgs([]string{"__complete", "run", flag, ""})
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		values, _, _ := strings.Cut(out.String(), "\n:")
		if got := strings.ReplaceAll(values, "\n", " "); got != want {
			t.Errorf("%s: %q, want %q", flag, got, want)
		}
	}
}
