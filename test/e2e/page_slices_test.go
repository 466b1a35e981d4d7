//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A slow browser shows every cluster, though views come faster than it shows one, and all of the
// last view after they stop.
func TestPageSlices(t *testing.T) {
	program, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node is not installed")
	}
	c := exec.Command(program, "node/slices.mjs", "../../transport/admin/page/slices.js")
	c.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	out, err := c.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "40 40" {
		t.Errorf("shown while views come, and of the last: %s %v, want 40 of 40 both times", out, err)
	}
}
