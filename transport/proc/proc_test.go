package proc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds the wait for what takes milliseconds on a quiet machine.
const patience = 30 * time.Second

// The test binary is its own child: role names its behaviour, ready is the socket on which it
// reports that it is up.
const (
	roleVar  = "PROC_TEST_ROLE"
	readyVar = "PROC_TEST_READY"
	childVar = "PROC_TEST_CHILD" // what a supervisor's child plays
	markVar  = "PROC_TEST_MARK"  // the entry it is found by
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVar); role != "" {
		play(role)
	}
	// go test always passes flags: this is a child that lost its role, and would start children
	// without end
	if len(os.Args) == 1 {
		panic("a child without " + roleVar)
	}
	os.Exit(m.Run())
}

// play is the child's main. It ends by syscall.Exit: os.Exit would first let the race detector wait
// and the coverage tool write.
func play(role string) {
	forever := make(chan os.Signal, 1)
	// a signal that may come keeps the runtime from reporting a deadlock
	signal.Notify(forever, syscall.SIGUSR2)
	verb, arg, _ := strings.Cut(role, " ")
	switch verb {
	case "exit":
		code, _ := strconv.Atoi(arg)
		syscall.Exit(code)
	case "stay":
		say("up")
	case "exit-on-term":
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM)
		say("up")
		<-term
		syscall.Exit(0)
	case "ignore-term":
		signal.Ignore(syscall.SIGTERM)
		say("up")
	case "parent", "parent-exits": // of a grandchild in the same group
		grandchild := exec.Command("sleep", "1000")
		if err := grandchild.Start(); err != nil {
			panic(err)
		}
		say(strconv.Itoa(grandchild.Process.Pid))
		if verb == "parent-exits" {
			syscall.Exit(0)
		}
	case "flood":
		flood(arg)
		syscall.Exit(3)
	case "say": // everything a child gets
		dir, _ := os.Getwd()
		stdin, err := os.Stdin.Read(make([]byte, 1))
		fmt.Println("args", os.Args[1:], "env", os.Environ(), "dir", dir, "stdin", stdin, err, "leader", syscall.Getpgrp() == os.Getpid())
		fmt.Fprintln(os.Stderr, "and stderr")
		syscall.Exit(0)
	case "supervisor": // starts a child that must outlive it
		Start(offspring(arg), func(_ Process, err error) {
			if err != nil {
				panic(err)
			}
		})
	case "exec": // starts a child, and becomes another program
		Start(offspring(""), func(p Process, err error) {
			if err != nil {
				panic(err)
			}
			find := fmt.Sprintf("%s=find %d %d", roleVar, p.PID(), p.Mark().Started)
			panic(syscall.Exec(os.Args[0], os.Args, []string{find, readyVar + "=" + os.Getenv(readyVar), markVar + "=" + os.Getenv(markVar)}))
		})
	case "find": // the program that exec started
		m := Mark{Env: markVar + "=" + os.Getenv(markVar)}
		_, _ = fmt.Sscan(arg, &m.PID, &m.Started)
		Find(m, func(p Process, err error) {
			if err != nil {
				panic(err)
			}
			p.Wait(func(e Exit) { say(strings.ReplaceAll(e.String(), " ", "_")) })
			p.Signal(syscall.SIGKILL)
		})
	}
	<-forever
}

// offspring returns the Spec of a supervisor's child.
func offspring(output string) Spec {
	env := []string{"PATH=" + os.Getenv("PATH"), roleVar + "=" + os.Getenv(childVar), readyVar + "=" + os.Getenv(readyVar), markVar + "=" + os.Getenv(markVar)}
	return Spec{Argv: os.Args[:1], Env: env, Output: output}
}

// flood writes a number of lines.
func flood(lines string) {
	n, _ := strconv.Atoi(lines)
	out := bufio.NewWriterSize(os.Stdout, 64<<10)
	for i := range n {
		fmt.Fprintf(out, "line %08d\n", i)
	}
	_ = out.Flush()
}

// say sends the test one word.
func say(word string) {
	conn, err := net.Dial("unix", os.Getenv(readyVar))
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(conn, "%d %s\n", os.Getpid(), word)
	_ = conn.Close()
}

// words listens for the words of children, and returns the variable that they need to send them.
func words(t *testing.T) (env string, next func() (pid int, word string)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return readyVar + "=" + path, func() (pid int, word string) {
		t.Helper()
		_ = listener.(*net.UnixListener).SetDeadline(time.Now().Add(patience))
		for {
			conn, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			_, err = fmt.Fscan(conn, &pid, &word)
			_ = conn.Close()
			switch {
			case err == nil:
				return pid, word
			case !errors.Is(err, io.EOF): // else a child was killed between its dial and its report
				t.Fatal(err)
			}
		}
	}
}

// as returns a Spec for a child with a role.
func as(role string, env ...string) Spec {
	return Spec{Argv: []string{os.Args[0]}, Env: append(env, roleVar+"="+role)}
}

// started holds the arguments of done.
type started struct {
	process Process
	err     error
}

// begin starts spec; done goes to a channel that would show a second call.
func begin(spec Spec) (<-chan started, func()) {
	ch := make(chan started, 2)
	return ch, Start(spec, func(p Process, err error) { ch <- started{p, err} })
}

// run starts spec, which must succeed, and claims it.
func run(t *testing.T, spec Spec) (Process, <-chan Exit) {
	t.Helper()
	ch, _ := begin(spec)
	s := receive(t, ch)
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.process, claim(s.process)
}

// claim is Wait into a channel that would show a second call.
func claim(p Process) <-chan Exit {
	exits := make(chan Exit, 2)
	p.Wait(func(e Exit) { exits <- e })
	return exits
}

// receive takes one value, within patience.
func receive[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("no %T within %v", *new(T), patience)
		panic("unreachable")
	}
}

// eventually polls a condition that has no event.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// gone reports whether pid has ended; a zombie counts as ended.
func gone(pid int) bool {
	state, _ := stat(strconv.Itoa(pid))
	return syscall.Kill(pid, 0) != nil || state == "Z"
}

// stat reads a process's state and parent from /proc; "" when there is none.
func stat(pid string) (state string, parent int) {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return "", 0
	}
	_, _ = fmt.Sscan(string(b[strings.LastIndexByte(string(b), ')')+1:]), &state, &parent)
	return state, parent
}

// children lists our children with their states, zombies too; none where there is no /proc.
func children() (list []string) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if state, parent := stat(e.Name()); parent == os.Getpid() {
			list = append(list, e.Name()+" "+state)
		}
	}
	return list
}

// descriptors counts our open files; 0 where there is no /proc.
func descriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

// leakless checks at the end of a test that it left no child, no descriptor and no goroutine.
func leakless(t *testing.T) {
	t.Helper()
	if r, w, err := os.Pipe(); err == nil { // opens the poller, which stays open
		_, _ = r.Close(), w.Close()
	}
	goroutines, files := runtime.NumGoroutine(), descriptors()
	t.Cleanup(func() {
		eventually(t, "no child left", func() bool { return len(children()) == 0 })
		eventually(t, "no descriptor left", func() bool { return descriptors() <= files })
		eventually(t, "no goroutine left", func() bool { return runtime.NumGoroutine() <= goroutines })
	})
}
