//go:build linux

package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// nodeProgram returns node and the path of a program of test/e2e/node; none: node or the packages
// are not installed.
func nodeProgram(b testing.TB, name string) (node, program string) {
	program, err := filepath.Abs("../e2e/node/" + name)
	if err == nil {
		node, err = exec.LookPath("node")
	}
	if err == nil {
		_, err = os.Stat("../e2e/node/node_modules") // as npm ci makes it
	}
	if err != nil {
		b.Logf("without %s: %v", name, err)
		return "", ""
	}
	return node, program
}

// onGuest is onManager, with CONTROL and its gateway hosts in the manager's place.
func onGuest(b testing.TB, name string) *stage {
	node, program := nodeProgram(b, "managers.mjs")
	if node == "" {
		return nil
	}
	s := newStage(b)
	env := append(s.settings(clusters-1, 1), "CONTROL_LOG__LEVEL=error", "CONTROL_CLUSTER__GUEST="+name, "CONTROL_CLUSTER__HELLO_TIMEOUT=10m") // the bots never connect
	s.middle = s.spawn(env, binary(b), "run", "--", node, program)
	return s.gather(1)
}

// onManager returns a stage whose first process asks all eight of a manager for node bots; nil:
// there is no node.
func onManager(b testing.TB, name string) *stage {
	node, program := nodeProgram(b, "managers.mjs")
	if node == "" {
		return nil
	}
	s := newStage(b)
	s.middle = s.spawn(nil, node, program, name)
	return s.gather(1)
}
