//go:build linux

// Package bench measures the shipped daemon: `control run` with its bots as processes, over real
// sockets, in turns with a bare relay in CONTROL's place. The time of a message is then a ratio
// within one run on one machine, whatever else that machine does.
//
//	task bench
//
// The processes are this test binary with a role in its environment; the benchmark sends them
// orders (orders_test.go: a line of JSON each way). The CPU time of other processes is read from
// /proc, so all of it is Linux only.
package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// roleVariable makes this test binary one of the processes.
const roleVariable = "BENCH_ROLE"

// binary is the path of control, built once.
var binary string

// roles are the roles of a process.
var roles = map[string]func() error{
	"bare":   bare,
	"sdk":    onSDK,
	"answer": func() error { return relay(answerItself) },
	"relay":  func() error { return relay(passOn) },
	"naive":  func() error { return relay(naively) },
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

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "control")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "github.com/discluster/control/cmd/control")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("bench: build control: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
