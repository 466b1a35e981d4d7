//go:build linux

// Package bench measures the shipped daemon: `control run` with its bots as processes of their own,
// over real sockets, beside a bare relay in CONTROL's place that is measured in turns with it. What
// a message takes is then a ratio in one run, on one machine, whatever else that machine does.
//
//	task bench
//
// The processes that take part are this test binary with a role in its environment; the benchmark
// gives them their orders (orders_test.go: a line of JSON each way). The CPU time of other
// processes is read from /proc, so that all of it is Linux only.
package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// roleVariable makes this test binary one of the processes that take part.
const roleVariable = "BENCH_ROLE"

// roles are what a process can be.
var roles = map[string]func() error{
	"bare":    bare,
	"sdk":     onSDK,
	"gateway": onGateway,
	"quick":   quick,
	"hail":    hail,
	"answer":  func() error { return relay(answerItself) },
	"relay":   func() error { return relay(passOn) },
	"naive":   func() error { return relay(naively) },
}

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		if err := roles[role](); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", role, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(run(m))
}

// folder is where control is built.
var folder string

func run(m *testing.M) int {
	var err error
	if folder, err = os.MkdirTemp("", "bench"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	return m.Run()
}

// binary returns the path of control, which it builds once.
func binary(b testing.TB) string {
	path, err := built()
	if err != nil {
		b.Fatal(err)
	}
	return path
}

var built = sync.OnceValues(func() (string, error) {
	path := filepath.Join(folder, "control")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", path, "github.com/discluster/control/cmd/control")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as the published one
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build control: %w\n%s", err, out)
	}
	return path, nil
})
