package e2e

import (
	"strings"
	"testing"
)

// wantDemo runs a demo to its end and returns its output.
func wantDemo(t *testing.T, args ...string) string {
	t.Helper()
	p := control(t, nil, append([]string{"demo"}, args...)...)
	code := p.exit()
	p.gone()
	out := p.stdout.String()
	if code != 0 || !strings.Contains(out, " 0 violations, 0 duplicates") || !strings.Contains(out, "none is left") {
		t.Errorf("exit %d", code)
	}
	return out
}

func TestDemoOnce(t *testing.T) {
	t.Parallel()
	out := wantDemo(t, "--once")
	if !strings.Contains(out, "score at Discord: 32 identifies, 0 violations, 0 duplicates") {
		t.Error("not 32 identifies")
	}
}
