package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestExitTellsTheCode(t *testing.T) {
	leakless(t)
	for _, code := range []int{0, 1, 3, 255} {
		_, exits := run(t, as(fmt.Sprint("exit ", code)))
		if got, want := receive(t, exits), (Exit{Code: code}); got != want {
			t.Errorf("exit %d: got %+v", code, got)
		}
	}
}

func TestExitTellsTheSignal(t *testing.T) {
	leakless(t)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGABRT} {
		p, exits := run(t, Spec{Argv: []string{"sleep", "1000"}})
		p.Signal(sig)
		if got, want := receive(t, exits), (Exit{Code: -1, Signal: sig}); got != want {
			t.Errorf("%v: got %+v", sig, got)
		}
	}
}

func TestExitReads(t *testing.T) {
	for want, exit := range map[string]Exit{
		"exit code 3":                   {Code: 3},
		"exit unknown":                  {Code: -1},
		"signal terminated":             {Code: -1, Signal: syscall.SIGTERM},
		"signal killed (out of memory)": {Code: -1, Signal: syscall.SIGKILL, OOM: true},
	} {
		if got := exit.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestStubbornProcessNeedsKill(t *testing.T) {
	leakless(t)
	env, next := words(t)
	p, exits := run(t, as("ignore-term", env))
	if pid, _ := next(); pid != p.PID() {
		t.Fatalf("PID %d, and the child is %d", p.PID(), pid)
	}
	p.Signal(syscall.SIGTERM)
	p.Signal(syscall.SIGKILL)
	// TERM, had it counted, came first
	if got, want := receive(t, exits), (Exit{Code: -1, Signal: syscall.SIGKILL}); got != want {
		t.Errorf("got %+v", got)
	}
}

// A bot is often the child of a wrapper; it ends with the wrapper, however that ends.
func TestGroupGoesWithItsLeader(t *testing.T) {
	leakless(t)
	for name, end := range map[string]func(p Process){
		"group signalled":      func(p Process) { p.Signal(syscall.SIGTERM) },
		"leader alone killed":  func(p Process) { _ = syscall.Kill(p.PID(), syscall.SIGKILL) },
		"leader exits himself": nil,
	} {
		t.Run(name, func(t *testing.T) {
			env, next := words(t)
			role := "parent"
			if end == nil {
				role = "parent-exits"
			}
			p, exits := run(t, as(role, env, "PATH="+os.Getenv("PATH")))
			_, word := next()
			grandchild, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			if end != nil {
				end(p)
			}
			receive(t, exits)
			if !ended(grandchild) {
				t.Error("the grandchild runs when the exit is reported")
			}
		})
	}
}

func TestSignalAfterTheExitIsNothing(t *testing.T) {
	leakless(t)
	p, exits := run(t, as("exit 0"))
	receive(t, exits)
	p.Signal(syscall.SIGKILL)
	if p.(*process).killed {
		t.Error("a signal went to a pid that is not ours any more")
	}
}

func TestSignalsRaceTheExit(t *testing.T) {
	leakless(t)
	p, exits := run(t, Spec{Argv: []string{"sleep", "1000"}})
	stop := make(chan struct{})
	for range 4 {
		go func() {
			for {
				select {
				case <-stop:
					return
				default:
					p.Signal(syscall.SIGTERM)
				}
			}
		}()
	}
	receive(t, exits)
	close(stop)
}

// A bot that writes faster than any reader is not slowed: no reader is waited for.
func TestFloodOfOutput(t *testing.T) {
	leakless(t)
	const lines, width = 800_000, len("line 00000000\n")
	spec := as(fmt.Sprint("flood ", lines))
	spec.Output = filepath.Join(t.TempDir(), "out")
	_, exits := run(t, spec)
	exit := receive(t, exits)
	if exit.Code != 3 {
		t.Errorf("got %v", exit)
	}
	if info, err := os.Stat(spec.Output); err != nil || info.Size() != lines*int64(width) || info.Mode().Perm() != 0o600 {
		t.Errorf("output: %v, %v; want %d bytes", info, err, lines*width)
	}
	tail := strings.Split(exit.Tail, "\n")
	if first, last := tail[0], tail[len(tail)-1]; first != fmt.Sprintf("line %08d", lines-len(tail)) || last != fmt.Sprintf("line %08d", lines-1) || len(tail) != TailMax/width {
		t.Errorf("tail of %d lines from %q to %q; want the last %d", len(tail), first, last, TailMax/width)
	}
}

func TestChildGetsWhatTheSpecSays(t *testing.T) {
	leakless(t)
	dir := t.TempDir()
	t.Setenv("OURS", "not to be passed on")
	spec := as("say", "A=1")
	spec.Argv = append(spec.Argv, "x", "y z")
	spec.Dir, spec.Output = dir, filepath.Join(dir, "out")
	_, exits := run(t, spec)
	want := fmt.Sprintf("args [x y z] env [A=1 %s=say] dir %s stdin 0 EOF leader true\nand stderr", roleVar, dir)
	if got := receive(t, exits).Tail; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Tail has the output of this run only, not that of earlier runs in the same file.
func TestTailIsOfThisLife(t *testing.T) {
	leakless(t)
	spec := as("flood 1")
	spec.Output = filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(spec.Output, []byte("an earlier run\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, exits := run(t, spec)
		if got := receive(t, exits).Tail; got != "line 00000000" {
			t.Errorf("got %q", got)
		}
	}
}

func TestInheritedOutputHasNoTail(t *testing.T) {
	leakless(t)
	_, exits := run(t, as("exit 0"))
	if got := receive(t, exits).Tail; got != "" {
		t.Errorf("got %q", got)
	}
}

// Ending describes signals as not chosen by the process.
func TestEnding(t *testing.T) {
	for want, exit := range map[string]Exit{
		"the process ended by itself":                                           {Code: 3},
		"signal 9 (killed) ended the process; its sender is unknown":            {Code: -1, Signal: syscall.SIGKILL},
		"signal 15 (terminated) ended the process; its sender is unknown":       {Code: -1, Signal: syscall.SIGTERM},
		"the kernel killed the process: out of memory":                          {Code: -1, Signal: syscall.SIGKILL, OOM: true},
		"the process crashed: signal 11 (segmentation fault)":                   {Code: -1, Signal: syscall.SIGSEGV},
		"the process ended; how is unknown, because CONTROL was not its parent": {Code: -1},
	} {
		if got := exit.Ending(); got != want {
			t.Errorf("%v: %q, want %q", exit, got, want)
		}
	}
}

// A death that its exit explains is reported before the search for what it left behind; with exit
// code 0 the search comes first.
func TestDiedComesBeforeTheSearch(t *testing.T) {
	leakless(t)
	p, exits := run(t, sleeper)
	died := make(chan Exit, 1)
	p.Died(func(e Exit) { died <- e })
	p.Signal(syscall.SIGKILL)
	if got, want := receive(t, died), (Exit{Code: -1, Signal: syscall.SIGKILL}); got != want {
		t.Errorf("died: %+v, want %+v", got, want)
	}
	receive(t, exits)

	env, next := words(t)
	p, exits = run(t, as("exit-on-term", env))
	next()
	p.Died(func(e Exit) { died <- e })
	p.Signal(syscall.SIGTERM)
	if got := receive(t, exits); got.Code != 0 {
		t.Errorf("exited: %+v", got)
	}
	select {
	case e := <-died:
		t.Errorf("died with exit code 0: %+v", e)
	default:
	}
}
