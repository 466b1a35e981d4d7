//go:build linux

package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// onManager returns a stage whose first process asks all eight of a manager for node bots; nil:
// node or the packages are not installed.
func onManager(b testing.TB, name string) *stage {
	program, err := filepath.Abs("../e2e/node/managers.mjs")
	if err != nil {
		b.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(program), "node_modules")); err != nil {
		b.Logf("without %s: run npm ci in test/e2e/node first", name)
		return nil
	}
	node, err := exec.LookPath("node")
	if err != nil {
		b.Logf("without %s: %v", name, err)
		return nil
	}
	s := newStage(b)
	s.middle = s.spawn(nil, node, program, name)
	return s.gather(1)
}
