package logbook

import (
	"strings"
	"testing"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/botlog"
)

// What bots print is shown without secrets, in whatever lines and reads they come.
func TestOutputHidesSecrets(t *testing.T) {
	const token = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcDE.abcdefghijklmnopqrstuvwxyz012345678901"
	const password = "pa ss\"wo\rd-of-a-database"
	Secrets.Learn(password)
	for _, c := range []struct {
		name string
		bare bool
		play string // "cluster line"; "-" a note of cluster 0, "." the end of a read
		want string
	}{
		{"nothing", false, "0 a|1 b|0 |.", "0 | a|1 | b|0 | |"},
		{"alone", true, "0 a|0 b|.", "a|b|"},
		{"whole", false, "0 " + token + "|.", "0 | [redacted]|"},
		{"a known one", false, "0 is " + password + "!|.", "0 | is [redacted]!|"},
		{"over lines", false, "0 " + token[:30] + "|0 " + token[30:] + "|0 b|.", "0 | [redacted]|0 | b|"},
		{"over reads", false, "0 " + token[:34] + "|.|0 " + token[34:] + "|0 .b|.", "0 | [redacted]|0 | [redacted]|0 | .b|"},
		{"a known one over reads", false, "0 " + password[:12] + "|.|0 " + password[12:18] + "|.|0 " + password[18:] + "|.",
			"0 | [redacted]|0 | [redacted]|0 | [redacted]|"},
		{"with a note and another bot between", false, "0 " + password[:12] + "|1 b|- note|0 " + password[12:] + "|.",
			"0 | [redacted]|1 | b|0 | -- note|0 | [redacted]|"},
		{"another process, whose first line is cut", false, "0 a|- note|0 " + password[9:] + "|.", "0 | a|0 | -- note|0 | [redacted]|"},
	} {
		var b strings.Builder
		o := &output{out: &b, flushed: func() error { return nil }, bare: c.bare}
		for _, step := range strings.Split(c.play, "|") {
			of, text, _ := strings.Cut(step, " ")
			if of == "." {
				if err := o.flush(); err != nil {
					t.Fatal(err)
				}
				continue
			}
			cluster := messages.ClusterID(0)
			if of == "1" {
				cluster = 1
			}
			o.take(botlog.Line{Cluster: cluster, Text: []byte(text), Note: of == "-"})
		}
		if got := strings.ReplaceAll(b.String(), "\n", "|"); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}
