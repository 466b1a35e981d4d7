package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// marks makes the mark of each run unique.
var marks atomic.Int64

func newMark() Mark { return Mark{Env: fmt.Sprintf("%s=%d.%d", markVar, os.Getpid(), marks.Add(1))} }

// unwatched forks a marked child that no goroutine waits for, as an exec in place leaves them.
func unwatched(t testing.TB, argv ...string) (Mark, child) {
	t.Helper()
	m := newMark()
	c, err := fork("/bin/"+argv[0], argv, &syscall.ProcAttr{Env: []string{"A=1", m.Env, "B=2"}, Files: []uintptr{2, 2, 2}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.forget()
		_ = syscall.Kill(-c.pid, syscall.SIGKILL)
		_, _ = syscall.Wait4(c.pid, nil, 0, nil) // ECHILD where the test reaped it
	})
	m.PID, m.Started = c.pid, c.started
	eventually(t, "the kernel shows its environment", func() bool { // an exec sets it late
		environ, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", c.pid))
		return strings.Contains(string(environ), m.Env) || gone(c.pid)
	})
	return m, c
}

// seek is Find into a channel that would show a second call.
func seek(m Mark) (<-chan started, func()) {
	ch := make(chan started, 2)
	return ch, Find(m, func(p Process, err error) { ch <- started{p, err} })
}

func found(t *testing.T, m Mark) Process {
	t.Helper()
	ch, _ := seek(m)
	s := receive(t, ch)
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.process
}

func goneExit(t *testing.T, m Mark) Exit {
	t.Helper()
	ch, _ := seek(m)
	s := receive(t, ch)
	var gone *GoneError
	if s.process != nil || !errors.As(s.err, &gone) || !errors.Is(s.err, ErrGone) {
		t.Fatalf("got %v, %v; want a GoneError", s.process, s.err)
	}
	return gone.Exit
}

func TestFindOfAChild(t *testing.T) {
	leakless(t)
	for name, forget := range map[string]func(*Mark){
		"by pid and start":        func(*Mark) {},
		"by its environment only": func(m *Mark) { m.PID, m.Started = 0, 0 },
		"without a start time":    func(m *Mark) { m.Started = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			m, c := unwatched(t, "sleep", "1000")
			forget(&m)
			p := found(t, m)
			if p.PID() != c.pid || p.Mark().Started != c.started || c.started == 0 {
				t.Errorf("found %d of %d, want %d of %d", p.PID(), p.Mark().Started, c.pid, c.started)
			}
			exits := claim(p)
			p.Signal(syscall.SIGTERM)
			if got, want := receive(t, exits), (Exit{Code: -1, Signal: syscall.SIGTERM}); got != want {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestFindOfWhatIsGone(t *testing.T) {
	leakless(t)
	m, c := unwatched(t, "sleep", "1000")
	dead, _ := unwatched(t, "true")
	_, _ = syscall.Wait4(dead.PID, nil, 0, nil)
	for name, mark := range map[string]Mark{
		"another start":           {PID: m.PID, Started: m.Started + 1, Env: newMark().Env},
		"another boot":            {PID: m.PID, Started: m.Started, Boot: "another", Env: newMark().Env},
		"another variable":        {Env: m.Env + "0"},
		"the end of a variable":   {Env: m.Env[1:]},
		"the begin of a variable": {Env: m.Env[:len(m.Env)-1]},
		"no such pid":             dead,
		"no such variable":        newMark(),
		"nothing known":           {},
	} {
		t.Run(name, func(t *testing.T) {
			if got := goneExit(t, mark); got != (Exit{Code: -1}) {
				t.Errorf("got %v", got)
			}
		})
	}
	if gone(c.pid) {
		t.Error("a search for others killed it")
	}
}

// A process that set its title, or hides its memory, shows another environment, or none: its pid
// and start time decide.
func TestFindGoesByPidAndStart(t *testing.T) {
	leakless(t)
	m, c := unwatched(t, "sleep", "1000")
	m.Env, m.Boot = newMark().Env, boot()
	p := found(t, m)
	if p.PID() != c.pid || p.Mark() != (Mark{PID: c.pid, Started: c.started, Boot: boot()}) {
		t.Errorf("found %+v, want pid %d", p.Mark(), c.pid)
	}
	exits := claim(p)
	p.Signal(syscall.SIGKILL)
	receive(t, exits)
}

// Where the kernel does not say which boot this is, pid and start time alone decide.
func TestFindInAnUnknownBoot(t *testing.T) {
	leakless(t)
	m, _ := unwatched(t, "sleep", "1000")
	m.Boot = boot()
	known := boot
	boot = func() string { return "" }
	defer func() { boot = known }()
	p := found(t, m)
	exits := claim(p)
	p.Signal(syscall.SIGKILL)
	receive(t, exits)
}

// An intent was written and no pid: what starts since is found by its environment.
func TestFindOfAnIntent(t *testing.T) {
	leakless(t)
	m := Intent()
	started, c := unwatched(t, "sleep", "1000")
	m.Env = started.Env
	if m.Boot == "" || m.Started == 0 || m.Started > c.started {
		t.Errorf("intent %+v of a process that started at %d", m, c.started)
	}
	p := found(t, m)
	exits := claim(p)
	p.Signal(syscall.SIGKILL)
	receive(t, exits)
}

// A child that died during an exec in place waits to be reaped, with its exit.
func TestFindOfAZombie(t *testing.T) {
	leakless(t)
	m, c := unwatched(t, "sh", "-c", "exit 7")
	eventually(t, "dead", func() bool { return c.ended(syscall.WNOHANG) })
	m.Output = filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(m.Output, []byte("last words\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := goneExit(t, m), (Exit{Code: 7, Tail: "last words"}); got != want {
		t.Errorf("got %+v", got)
	}
	if got, want := goneExit(t, m), (Exit{Code: -1, Tail: "last words"}); got != want {
		t.Errorf("once it is reaped: got %+v", got)
	}
}

func TestFindAfterExecInPlace(t *testing.T) {
	env, next := words(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{env, childVar + "=stay", newMark().Env, roleVar + "=exec"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	pid, word := next()
	if pid != cmd.Process.Pid { // the child, where it lived long enough to report
		pid, word = next()
	}
	if pid != cmd.Process.Pid || word != "signal_killed" {
		t.Errorf("%d, of %d, reports %s", pid, cmd.Process.Pid, word)
	}
}

// A pid that belongs to another process now gets no signal.
func TestTakenPidIsLeftAlone(t *testing.T) {
	m, c := unwatched(t, "sleep", "1000")
	p := &process{alive: true, child: child{pid: m.PID, started: m.Started - 1, pidfd: -1, foreign: true}}
	p.Signal(syscall.SIGKILL)
	if p.killed || c.ended(syscall.WNOHANG) {
		t.Error("killed another process")
	}
}

func TestCancelledFindHarmsNobody(t *testing.T) {
	leakless(t)
	m, c := unwatched(t, "sleep", "1000")
	for range 50 {
		ch, cancel := seek(m)
		cancel()
		if s := receive(t, ch); s.err != nil && !errors.Is(s.err, ErrCancelled) {
			t.Fatal(s.err)
		}
		cancel()
	}
	p := found(t, m)
	if c.ended(syscall.WNOHANG) {
		t.Fatal("cancel killed it")
	}
	exits := claim(p)
	p.Signal(syscall.SIGKILL)
	if got := receive(t, exits); got.Signal != syscall.SIGKILL {
		t.Errorf("got %v", got)
	}
}

// An actor that lost its process by a panic finds it again: the exit is reported to the new owner
// alone, and the old one's cancel has no effect.
func TestFindOfWhatWeStarted(t *testing.T) {
	leakless(t)
	m := newMark()
	ch, cancel := begin(Spec{Argv: []string{"sleep", "1000"}, Env: []string{m.Env}})
	p := receive(t, ch).process
	old := claim(p)
	m.PID, m.Started = p.PID(), p.Mark().Started
	again := found(t, m)
	cancel()
	exits := claim(again)
	again.Signal(syscall.SIGINT)
	if got := receive(t, exits); got.Signal != syscall.SIGINT {
		t.Errorf("got %v", got)
	}
	if len(old) != 0 {
		t.Error("the old owner got the exit")
	}
}

// A process that is watched is found again by its environment, too, and watched by one.
func TestFindTwiceByEnvironment(t *testing.T) {
	leakless(t)
	m, _ := unwatched(t, "sleep", "1000")
	m.PID, m.Started = 0, 0
	first := found(t, m)
	second := found(t, m)
	if first != second {
		t.Errorf("found %v, then %v", first, second)
	}
	exits := claim(second)
	second.Signal(syscall.SIGKILL)
	receive(t, exits)
}

func TestManyFindsAtOnce(t *testing.T) {
	leakless(t)
	const many = 32
	var all []Mark
	for range many {
		m, _ := unwatched(t, "sleep", "1000")
		all = append(all, m)
	}
	begin := time.Now()
	var chs []<-chan started
	for _, m := range all {
		ch, _ := seek(m)
		chs = append(chs, ch)
	}
	for _, ch := range chs {
		s := receive(t, ch)
		if s.err != nil {
			t.Fatal(s.err)
		}
		defer receive(t, claim(s.process))
		defer s.process.Signal(syscall.SIGKILL)
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("took %v", took)
	}
}

// A process chooses its name, which may put anything into the line that is read.
func TestLookAtAnOddName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a) Z 1 (b")
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(sleep, path); err != nil {
		t.Fatal(err)
	}
	plain, _ := run(t, Spec{Argv: []string{"sleep", "1000"}})
	odd, exits := run(t, Spec{Argv: []string{path, "1000"}})
	state, ticks, err := look(odd.PID())
	if err != nil || state == 'Z' || ticks < plain.Mark().Started || ticks > plain.Mark().Started+1000 {
		t.Errorf("got %c, %d, %v", state, ticks, err)
	}
	plain.Signal(syscall.SIGKILL)
	odd.Signal(syscall.SIGKILL)
	receive(t, exits)
}
