package cmd

import (
	"strings"
	"testing"

	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/discord/server"
)

// A plan follows from Discord's answer and spends no identify.
func TestPlan(t *testing.T) {
	d := server.New(server.Config{Rules: rules.Config{Token: "secret", ShardCount: 40, MaxConcurrency: 16, IdentifyTotal: 1000, IdentifyRemaining: 30}})
	base, err := d.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	t.Setenv("DISCORD_API", base)
	t.Setenv("CONTROL_STATE__DIR", t.TempDir())
	for _, c := range []struct {
		name, token string
		args        []string
		want        []string
		fails       bool
	}{
		{"a start", "secret", []string{"--machines", "2"}, []string{"start of 40 shards, max_concurrency 16, clusters of 16 shards", "0-31", "5.1s", "40 of 30 left today: 10 too few"}, false},
		{"a restart", "secret", []string{"--restart"}, []string{"every session is resumed", "0 of 30 left today, 30 remain"}, false},
		{"a start, for programs", "secret", []string{"--machines", "3", "--fleet.spares", "1", "--json"}, []string{`"shard_count":40,"max_concurrency":16,"shards_per_cluster":16,`,
			`"machines":[[[0,31]],[[32,39]],[]]`, `{"at_ms":5100,"shards":[16,31]}`, `"identifies":40,"identify_budget":{"total":1000,"remaining":30,"left":-10,"reserve":40,"reset_after_ms":`}, false},
		{"a restart, for programs", "secret", []string{"--restart", "--json"}, []string{`"waves":[],"last_ms":0,"identifies":0,`}, false},
		{"a token that Discord does not know", "wrong", nil, []string{"Discord does not know it (401)"}, true},
		{"without a token", "", nil, []string{"discord.token is not set"}, true},
		{"without a token, half configured", "", []string{"--fleet.shards", "20", "--cluster.shards_per_cluster", "10"}, []string{"discord.token is not set"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("DISCORD_TOKEN", c.token)
			var out strings.Builder
			cmd := planCommand()
			cmd.SetArgs(c.args)
			cmd.SetOut(&out)
			cmd.SilenceUsage, cmd.SilenceErrors = true, true
			err := cmd.Execute()
			if (err != nil) != c.fails {
				t.Fatalf("%v", err)
			}
			text := out.String()
			if err != nil {
				text = err.Error()
			}
			for _, w := range c.want {
				if !strings.Contains(text, w) {
					t.Errorf("%q lacks %q", text, w)
				}
			}
		})
	}
	if n := d.Score().Identifies; n != 0 {
		t.Errorf("%d identifies", n)
	}
}
