// Package e2e runs the real binary, with real processes, real sockets and a simulated Discord for
// each test. Decisions are tested in simulated time (scenarios) and bytes in the packages of
// transport; these tests cover what needs a whole machine: exits, leftovers, environments, folders,
// foreign peers.
//
// Plain `go test` runs the tests that are quick and need only Go. `task e2e` (build tag e2e) adds
// those that take longer, or need node or a browser.
//
// A cluster that misbehaves is this test binary again, with a role in its environment
// (roles_test.go). Everything that a test starts carries a mark in its environment, so that nothing
// it started goes unnoticed (process_test.go) or outlives the run (janitor_test.go).
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	_ "github.com/discluster/control/cmd" // makes `go test` cache results for this control only
)

// binary is the path of control, built once; self is that of this test binary.
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
	// These tests mostly wait for other processes, so more of them run at once than there are
	// cores.
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
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as the published one
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("e2e: build control: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// missing skips a test because this machine lacks something; in CI (.ci/run) it fails the test.
func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip("skipped: " + why)
}
