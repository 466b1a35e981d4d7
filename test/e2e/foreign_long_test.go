//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
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
