package proc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestManyAtOnceLeaveNothing(t *testing.T) {
	leakless(t)
	const many = 50
	var wg sync.WaitGroup
	codes := make([]Exit, many)
	for i := range many {
		wg.Add(1)
		Start(Spec{Argv: []string{"sh", "-c", fmt.Sprint("exit ", i)}}, func(p Process, err error) {
			if err != nil {
				t.Error(err)
				wg.Done()
				return
			}
			p.Wait(func(e Exit) { codes[i] = e; wg.Done() })
		})
	}
	wg.Wait()
	for i, got := range codes {
		if got != (Exit{Code: i}) {
			t.Errorf("child %d: %v", i, got)
		}
	}
	if left := children(); len(left) != 0 {
		t.Errorf("children left when all exits are reported: %v", left)
	}
}

func TestCancelBeforeDone(t *testing.T) {
	leakless(t)
	// a little later each time, so that the cancel meets the attempt before, in and after the fork
	for step := range 200 {
		ch, cancel := begin(Spec{Argv: []string{"sleep", "1000"}})
		for from := time.Now(); time.Since(from) < time.Duration(step)*5*time.Microsecond; {
			runtime.Gosched()
		}
		cancel()
		switch s := receive(t, ch); {
		case errors.Is(s.err, ErrCancelled):
			if left := children(); len(left) != 0 {
				t.Fatalf("children left when done is called: %v", left)
			}
		case s.err != nil:
			t.Fatal(s.err)
		default: // done was on its way
			if exit := receive(t, claim(s.process)); exit.Signal != syscall.SIGKILL {
				t.Fatalf("got %v", exit)
			}
		}
		if len(ch) != 0 {
			t.Fatal("done called twice")
		}
	}
}

func TestCancelWithoutWaitKills(t *testing.T) {
	leakless(t)
	ch, cancel := begin(Spec{Argv: []string{"sleep", "1000"}})
	s := receive(t, ch)
	if s.err != nil {
		t.Fatal(s.err)
	}
	cancel()
	cancel() // it does nothing
	eventually(t, "killed and reaped", func() bool { return len(children()) == 0 })
	if exit := receive(t, claim(s.process)); exit.Signal != syscall.SIGKILL || exit.OOM {
		t.Errorf("a late Wait gets %v", exit)
	}
}

func TestCancelAfterWaitIsNothing(t *testing.T) {
	leakless(t)
	env, next := words(t)
	ch, cancel := begin(as("stay", env))
	s := receive(t, ch)
	if s.err != nil {
		t.Fatal(s.err)
	}
	exits := claim(s.process)
	cancel()
	next() // it lives long enough to report
	s.process.Signal(syscall.SIGTERM)
	if exit := receive(t, exits); exit.Signal != syscall.SIGTERM {
		t.Errorf("got %v, want what we sent", exit)
	}
}

func TestUnclaimedExitIsReapedAndKept(t *testing.T) {
	leakless(t)
	ch, _ := begin(as("exit 3"))
	s := receive(t, ch)
	if s.err != nil {
		t.Fatal(s.err)
	}
	eventually(t, "reaped", func() bool { return len(children()) == 0 })
	if exit := receive(t, claim(s.process)); exit.Code != 3 {
		t.Errorf("got %v", exit)
	}
}

// CONTROL dies by SIGKILL and the bot goes on, writing to the same file.
func TestBotOutlivesUs(t *testing.T) {
	env, next := words(t)
	supervisor := exec.Command(os.Args[0])
	supervisor.Env = []string{env, childVar + "=stay", roleVar + "=supervisor " + filepath.Join(t.TempDir(), "out")}
	if err := supervisor.Start(); err != nil {
		t.Fatal(err)
	}
	bot, _ := next()
	defer func() {
		_ = syscall.Kill(-bot, syscall.SIGKILL)
		_, _ = syscall.Wait4(bot, nil, 0, nil) // ours only where the test is pid 1
	}()
	_ = supervisor.Process.Kill()
	_ = supervisor.Wait()
	if gone(bot) {
		t.Error("the bot died with us")
	}
}

func TestStartFailures(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain, odd, lost := file("plain", "", 0o600), file("odd", "what is this", 0o700), file("lost", "#!/nonexistent/node\n", 0o700)
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	sleep := []string{"sleep", "1000"}
	for name, c := range map[string]struct {
		spec Spec
		kind error
		want string
	}{
		"no argv":         {Spec{}, ErrArgs, `bot command "": at least a program is needed`},
		"not in PATH":     {Spec{Argv: []string{"no-such-bot"}}, ErrNotFound, `bot command "no-such-bot": not found in PATH`},
		"no such file":    {Spec{Argv: []string{"./no-such-bot"}, Dir: dir}, ErrNotFound, `bot command "./no-such-bot": does not exist`},
		"below a file":    {Spec{Argv: []string{plain + "/bot"}}, ErrNotFound, fmt.Sprintf(`bot command %q: does not exist`, plain+"/bot")},
		"no permission":   {Spec{Argv: []string{"./plain"}, Dir: dir}, ErrNotExecutable, `bot command "./plain": no permission to execute it`},
		"a folder":        {Spec{Argv: []string{dir}}, ErrNotExecutable, fmt.Sprintf(`bot command %q: is a folder`, dir)},
		"no program":      {Spec{Argv: []string{odd}}, ErrNotExecutable, fmt.Sprintf(`bot command %q: not a program for this machine, and not a script: its first line does not begin with #!`, odd)},
		"no interpreter":  {Spec{Argv: []string{lost}}, ErrNotExecutable, fmt.Sprintf(`bot command %q: exists, but its interpreter does not: the one its first line names, or the loader (libc) it was built for`, lost)},
		"too long":        {Spec{Argv: sleep, Env: []string{"A=" + strings.Repeat("x", 32<<20)}}, ErrArgs, `bot command "sleep": arguments and environment, 33554446 bytes, are more than the kernel accepts (Linux: 128 KiB each, a quarter of the stack limit in all)`},
		"zero byte":       {Spec{Argv: sleep, Env: []string{"A=\x00"}}, ErrArgs, `bot command "sleep": an argument or a variable contains a zero byte`},
		"no dir":          {Spec{Argv: sleep, Dir: dir + "/no"}, ErrDir, fmt.Sprintf(`bot folder %q: does not exist`, dir+"/no")},
		"dir is a file":   {Spec{Argv: sleep, Dir: plain}, ErrDir, fmt.Sprintf(`bot folder %q: not a folder`, plain)},
		"no output dir":   {Spec{Argv: sleep, Output: dir + "/no/out"}, ErrOutput, fmt.Sprintf(`bot output %q: its folder %q does not exist`, dir+"/no/out", dir+"/no")},
		"output in file":  {Spec{Argv: sleep, Output: plain + "/out"}, ErrOutput, fmt.Sprintf(`bot output %q: %q is not a folder`, plain+"/out", plain)},
		"output a folder": {Spec{Argv: sleep, Output: dir}, ErrOutput, fmt.Sprintf(`bot output %q: a folder, where a file is needed`, dir)},
		"output a pipe":   {Spec{Argv: sleep, Output: pipe}, ErrOutput, fmt.Sprintf(`bot output %q: a named pipe: opening it waits for a reader, and losing that reader would kill the bot`, pipe)},
		"own folder lost": {Spec{Argv: sleep, Folders: []string{plain + "/sockets"}}, ErrFolder, fmt.Sprintf(`folder %q: is gone and cannot be made again: mkdir %s: not a directory`, plain+"/sockets", plain)},
		"run, no such":    {Spec{Argv: []string{"./no-such-bot"}, Dir: dir, Runner: sleep}, ErrNotFound, `bot command "./no-such-bot": does not exist`},
		"run, forbidden":  {Spec{Argv: []string{"./plain"}, Dir: dir, Runner: sleep}, ErrNotExecutable, `bot command "./plain": no permission to execute it`},
		"run, a folder":   {Spec{Argv: []string{dir}, Runner: sleep}, ErrNotExecutable, fmt.Sprintf(`bot command %q: is a folder`, dir)},
		"bad with output": {Spec{Argv: []string{odd}, Output: dir + "/out"}, ErrNotExecutable, fmt.Sprintf(`bot command %q: not a program for this machine, and not a script: its first line does not begin with #!`, odd)},
	} {
		t.Run(name, func(t *testing.T) {
			leakless(t)
			ch, _ := begin(c.spec)
			s := receive(t, ch)
			var spec *SpecError
			if s.process != nil || !errors.As(s.err, &spec) || !errors.Is(s.err, c.kind) {
				t.Fatalf("got %v, %v; want a SpecError of kind %q", s.process, s.err, c.kind)
			}
			if got := s.err.Error(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// Missing folders of the process are made, with their parents, before its output is opened.
func TestFoldersAreMade(t *testing.T) {
	leakless(t)
	gone := filepath.Join(t.TempDir(), "run", "user", "sockets")
	ch, _ := begin(Spec{Argv: []string{"true"}, Folders: []string{gone}, Output: filepath.Join(gone, "out")})
	s := receive(t, ch)
	if s.err != nil {
		t.Fatal(s.err)
	}
	exited := make(chan Exit, 1)
	s.process.Wait(func(e Exit) { exited <- e })
	if e := <-exited; e.Code != 0 {
		t.Fatalf("it ended with %v", e)
	}
	if info, err := os.Stat(gone); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("the folder: %v, %v; want mode 0700", info, err)
	}
}

// Root may write almost anywhere.
func TestOutputNotWritable(t *testing.T) {
	leakless(t)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		dir = "/sys"
	}
	ch, _ := begin(Spec{Argv: []string{"sleep", "1000"}, Output: dir + "/out"})
	want := fmt.Sprintf(`bot output %q: no permission to write it, or to create it in its folder`, dir+"/out")
	if s := receive(t, ch); !errors.Is(s.err, ErrOutput) || s.err.Error() != want {
		t.Errorf("got %v, want %s", s.err, want)
	}
}

// A process inherits files as its descriptors from 3 on, and nothing else.
func TestFilesAreInherited(t *testing.T) {
	leakless(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out := filepath.Join(t.TempDir(), "out")
	_, exits := run(t, Spec{Argv: []string{"sh", "-c", "echo three >&3; echo four >&4; (echo five >&5) 2>/dev/null || echo none"}, Files: []*os.File{w, w}, Output: out})
	if e := receive(t, exits); e.Tail != "none" {
		t.Errorf("output %q", e.Tail)
	}
	_ = w.Close()
	if text, err := io.ReadAll(r); err != nil || string(text) != "three\nfour\n" {
		t.Errorf("read %q, %v", text, err)
	}
}

// Of several entries of one name a process has the last one alone: programs differ in which they
// take.
func TestLastEntryCounts(t *testing.T) {
	leakless(t)
	out := filepath.Join(t.TempDir(), "out")
	_, exits := run(t, Spec{Argv: []string{"env"}, Env: []string{"A=1", "B=2", "A=3", "A=4", "C="}, Output: out})
	if e := receive(t, exits); e.Tail != "B=2\nA=4\nC=" {
		t.Errorf("environment %q", e.Tail)
	}
}
