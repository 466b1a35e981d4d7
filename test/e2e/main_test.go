// Package e2e runs the real binary: real processes, real sockets, a simulated Discord of their own. What decides is tested elsewhere, in simulated time (scenarios) or by the byte
// (the packages of transport); here is what only a whole machine can show: exits, leftovers, environments, folders, peers that are no peers.
//
// Plain `go test` runs what is quick and needs nothing but Go. `task e2e` (build tag e2e) adds what takes longer, and what needs node or a browser.
//
// A cluster that misbehaves is this test binary again, with a role in its environment (roles_test.go). Whatever a test starts carries a mark in its environment, so that
// nothing it started, or let start, is left unseen (process_test.go) or outlives the run (janitor_test.go).
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	_ "github.com/discluster/control/cmd" // so that `go test` knows what these results depend on, and caches none of another control
)

// binary is control, built once; self is this test binary.
var binary, self string

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	if runtime.GOOS != "linux" {
		fmt.Println("e2e: skipped, for leftovers are looked for in /proc")
		return 0
	}
	// These tests wait for others most of the time: two cores carry more of them than two.
	flag.Parse()
	if err := flag.Set("test.parallel", "24"); err != nil {
		panic(err)
	}
	var err error
	if self, err = os.Executable(); err != nil {
		panic(err)
	}
	dismiss, err := employ()
	if err != nil {
		panic(err)
	}
	defer dismiss()
	binary = filepath.Join(home, "control")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "github.com/discluster/control/cmd/control")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("e2e: build control: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
