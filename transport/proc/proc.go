// Package proc owns OS processes: it starts one in a process group of its own, sends its output to a file that it opens itself, tells how it ended, and leaves no zombie and no orphan.
//
// A process outlives us on purpose: nothing here dies with CONTROL, no pipe, no death signal (DESIGN §1.3).
//
//	         forked               leader gone                    group gone
//	Start ──────────▶ running ──────────────────▶ swept, reaped ────────────▶ exited(Exit)
//	   └─▶ done(error)   ▲ cancel without Wait: SIGKILL
//	Find ────────────────┘ of an earlier life
//	   └─▶ done(error)
//
// start.go is the first line, find.go and find_linux.go the other; carriers_linux.go what holds a
// mark; output.go the file and its tail; oom.go what the kernel says about memory; children.go and
// reap_linux.go whom we reap; errors.go why a start failed; proc_linux.go and proc_other.go how an
// exit is noticed.
package proc

import (
	"fmt"
	"slices"
	"syscall"
)

// Spec says what to start. Its slices are not to be changed once given to Start.
type Spec struct {
	Argv   []string // Argv[0] is looked up in our PATH; one with a slash is a path, and a relative path starts at Dir
	Env    []string // the whole environment, "KEY=value"; nothing of ours is added
	Dir    string   // working directory; "" is ours
	Output string   // file that takes stdout and stderr, appended to, created 0600; "" inherits ours
	Mark   string   // entry of Env that no other run has: what holds it ends with the process, in whatever session it is; "" only the group ends

	Folders []string // made, 0700, where they are missing: the process needs them
}

// Exit is how a process ended.
type Exit struct {
	Code   int            // exit code; -1 when a signal ended it or nothing is known
	Signal syscall.Signal // 0 when none
	OOM    bool           // the kernel's out-of-memory killer did it; false where the kernel does not tell (oom.go)
	Left   int            // processes with its mark that had left its group; they are killed
	Doubt  string         // why some of them may still live; "" none does
	Tail   string         // the last lines of what this life wrote to Spec.Output, at most TailMax bytes of valid UTF-8, whole lines where possible, no newline at the end
}

// TailMax is how much of the output an Exit carries.
const TailMax = 4 << 10

// String is "exit code 3", "signal killed", "signal killed (out of memory)".
func (e Exit) String() string {
	switch {
	case e.OOM:
		return fmt.Sprintf("signal %s (out of memory)", e.Signal)
	case e.Signal != 0:
		return fmt.Sprintf("signal %s", e.Signal)
	case e.Code < 0:
		return "exit unknown"
	default:
		return fmt.Sprintf("exit code %d", e.Code)
	}
}

// crashes are the signals that a process brings upon itself (signal(7)).
var crashes = []syscall.Signal{syscall.SIGSEGV, syscall.SIGABRT, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGSYS}

// Ending is what is known of an end that we did not bring about: "the process ended by itself", or
// which signal ended it. The kernel does not tell who sent one.
func (e Exit) Ending() string {
	switch {
	case e.OOM:
		return "the kernel killed the process: out of memory"
	case slices.Contains(crashes, e.Signal):
		return fmt.Sprintf("the process crashed: signal %d (%s)", e.Signal, e.Signal)
	case e.Signal != 0:
		return fmt.Sprintf("signal %d (%s) ended the process; who sent it is unknown", e.Signal, e.Signal)
	case e.Code < 0:
		return "the process ended; how is unknown, because CONTROL was not its parent"
	default:
		return "the process ended by itself"
	}
}

// Process is one process that was started. Its methods never block and may be called from anywhere.
type Process interface {
	PID() int
	// Mark identifies the process by its pid, start time and boot; the caller adds what its
	// environment holds.
	Mark() Mark
	// Wait claims the process: exited is called exactly once, after the process is reaped and its
	// group and what holds its mark are swept. Called once; never from within Wait. A process that
	// nobody claims is killed when its Start is cancelled.
	Wait(exited func(Exit))
	// Signal sends sig to the whole group, and does nothing once the process is reaped.
	Signal(sig syscall.Signal)
}

// Mark identifies a process to a later life of CONTROL. Its pid and start time in the same boot
// decide; the environment, which a process may overwrite or hide, decides only where they were
// never written down.
type Mark struct {
	PID     int    `json:"pid,omitempty"`     // 0: unknown
	Started uint64 `json:"started,omitempty"` // kernel's start time of the process; without a pid, it started then or later
	Boot    string `json:"boot,omitempty"`    // boot that Started counts from; "" unknown
	Env     string `json:"env"`               // "NAME=value" in the environment of this run, and of no other
	Output  string `json:"output,omitempty"`  // its Spec.Output, a file of this run alone; "" for an Exit without Tail
	// Owner is a "NAME=value" in the environment of every run of one cluster. Where the process is
	// gone, whatever holds it is killed. It is never part of a record: only the caller knows that no
	// other run is to live.
	Owner string `json:"-"`
}
