// Package proc owns OS processes: it starts one in a process group of its own, sends its output to
// a file that it opens itself, reports how it ended, and leaves no zombie and no orphan.
//
// A process outlives CONTROL on purpose: nothing here ends with CONTROL, no pipe, no death signal
// (DESIGN §1.3).
//
//	         forked               leader gone                   group gone           mark gone
//	Start ──────────▶ running ──────────────────▶ swept, reaped ──────▶ died(Exit) ─────▶ exited(Exit)
//	   └─▶ done(error)   ▲ cancel without Wait: SIGKILL
//	Find ────────────────┘ of an earlier run
//	   └─▶ done(error)
//
//	start.go                        Start, and the goroutine of each process
//	find.go, find_linux.go          Find
//	environ_linux.go                processes with an entry in their environment
//	running_linux.go                processes that ran before, and need no look
//	output.go                       the output file and its tail
//	oom.go                          kills by the kernel's out-of-memory killer
//	children.go, reap_linux.go      children to reap
//	errors.go                       reasons of a failed start
//	usage.go, usage_linux.go        CPU time and memory of a process
//	peers_linux.go                  where the connections of a process lead
//	proc_linux.go, proc_other.go    noticing an exit
package proc

import (
	"fmt"
	"os"
	"slices"
	"syscall"
)

// Spec describes a process to start. Its slices must not be changed after Start.
type Spec struct {
	// Argv[0] is looked up in our PATH; one with a slash is a path, and a relative path starts at
	// Dir
	Argv []string
	// path and arguments of a program that runs Argv as its child; nil: Argv is run itself
	Runner []string
	Env    []string // the whole environment, "KEY=value"; the last entry of a name counts; nothing of ours is added
	Dir    string   // working directory; "" is ours
	// file that takes stdout and stderr, appended to, created 0600; "" inherits ours
	Output string
	// an empty file that becomes Output where that is missing, and is made again after the start; ""
	// for none. Creating a file can take a disk thirty times as long as renaming it
	Spare string
	// entry of Env that no other run has: processes with it end with the process, in whatever
	// session they are; "": only the group ends
	Mark string

	Folders []string   // the process creates files there; created, 0700, if missing
	Files   []*os.File // that the process inherits as file descriptors 3, 4, …; open until done is called
}

// Exit describes how a process ended.
type Exit struct {
	Code   int            // exit code; -1 when a signal ended it or it is unknown
	Signal syscall.Signal // 0 when none
	// the kernel's out-of-memory killer ended it; false where unknown (oom.go)
	OOM   bool
	Left  int    // processes with its mark that had left its group; they are killed
	Doubt string // why some of them may still live; "": none does
	// the last lines of this run's output to Spec.Output, at most TailMax bytes of valid UTF-8,
	// whole lines where possible, no newline at the end
	Tail string
}

// TailMax limits the output in an Exit, in bytes.
const TailMax = 4 << 10

// String returns "exit code 3", "signal killed", "signal killed (out of memory)".
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

// crashes are the signals of a process's own faults (signal(7)).
var crashes = []syscall.Signal{syscall.SIGSEGV, syscall.SIGABRT, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGSYS}

// Ending describes an end that CONTROL did not cause: "the process ended by itself", or which
// signal ended it. The kernel does not report its sender.
func (e Exit) Ending() string {
	switch {
	case e.OOM:
		return "the kernel killed the process: out of memory"
	case slices.Contains(crashes, e.Signal):
		return fmt.Sprintf("the process crashed: signal %d (%s)", e.Signal, e.Signal)
	case e.Signal != 0:
		return fmt.Sprintf("signal %d (%s) ended the process; its sender is unknown", e.Signal, e.Signal)
	case e.Code < 0:
		return "the process ended; how is unknown, because CONTROL was not its parent"
	default:
		return "the process ended by itself"
	}
}

// Process is one process that was started. Its methods never block and are safe for concurrent use.
type Process interface {
	PID() int
	// Mark identifies the process by its pid, start time and boot; the caller adds the entries of
	// its environment.
	Mark() Mark
	// Died has died called as soon as the process is reaped and its group swept, before the search
	// for the processes with its mark, which Wait's exited follows. It is not called if the exit is
	// code 0 or unknown: then the end is explained by what the process left behind. Called before
	// Wait, if at all.
	Died(died func(Exit))
	// Wait claims the process: exited is called exactly once, after the process is reaped and its
	// group and the processes with its mark are swept. Called once; never from within Wait. An
	// unclaimed process is killed when its Start is cancelled.
	Wait(exited func(Exit))
	// Signal sends sig to the whole group, and does nothing once the process is reaped.
	Signal(sig syscall.Signal)
}

// Mark identifies a process to a later run of CONTROL. Its pid and start time in the same boot
// decide; the environment, which a process may overwrite or hide, decides only where they were
// never recorded.
type Mark struct {
	PID int `json:"pid,omitempty"` // 0: unknown
	// kernel's start time of the process; without a pid, it started then or later
	Started uint64 `json:"started,omitempty"`
	Boot    string `json:"boot,omitempty"` // boot that Started counts from; "" unknown
	// "NAME=value" in the environment of this run, and of no other
	Env string `json:"env"`
	// its Spec.Output, a file of this run alone; "" for an Exit without Tail
	Output string `json:"output,omitempty"`
	// Owner is a "NAME=value" in the environment of every run of one cluster. If the process is
	// gone, every process with it is killed. It is never part of a record: only the caller knows
	// that no other run may live.
	Owner string `json:"-"`
}
