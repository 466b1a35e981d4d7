package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// Secrets of every test: a process that shows one fails it (process.silent).
const (
	// It begins with guilds.Bot in base64, where disgo finds its application's id.
	token         = "ODEzODQ3ODg3NjU3MTIzODQ.e2e-bot-token.never-shown"
	authorization = "e2e.link-secret.never-shown"
)

// patience bounds how long a test waits for an event, on a machine that is busy or halts for half a
// minute.
const patience = 3 * time.Minute

// markVariable is a variable of every process that a test starts, and of those that these start.
const markVariable = "E2E_MARK"

// process is a program that a test runs.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	mark   string
	stdout text
	stderr text
	ended  chan struct{} // closed when it has exited
}

// text collects the output of a process.
type text struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *text) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *text) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// control starts the binary, in an environment of only PATH, HOME and env. It dies with the test,
// and so does everything that it started.
func control(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return start(t, env, binary, args...)
}

// start starts a program as control does the binary.
func start(t *testing.T, env []string, program string, args ...string) *process {
	t.Helper()
	mark := rand.Text()
	own := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), markVariable + "=" + mark, homeVariable + "=" + home,
		"CONTROL_ADMIN__LISTEN="} // for all tests at once have one default port
	return launch(t, mark, append(own, env...), program, args)
}

// again starts the same command once more. The new process owns the children of both.
func (p *process) again() *process {
	p.t.Helper()
	return launch(p.t, p.mark, p.cmd.Env, p.cmd.Path, p.cmd.Args[1:])
}

// launch starts a program in exactly this environment.
func launch(t *testing.T, mark string, env []string, program string, args []string) *process {
	t.Helper()
	p := &process{t: t, mark: mark, ended: make(chan struct{})}
	p.cmd = exec.Command(program, args...)
	p.cmd.Env = env
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// For a process that leaves others behind, which hold its output.
	p.cmd.WaitDelay = 20 * time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // ProcessState has its result
		close(p.ended)
	}()
	t.Cleanup(func() {
		for _, pid := range p.started() {
			_ = signalCarrier(pid, syscall.SIGKILL, markVariable, mark)
		}
		<-p.ended
		if t.Failed() {
			t.Logf("%s %s\nstdout: %s\nstderr: %s", filepath.Base(program), strings.Join(args, " "), short(p.stdout.String()), short(p.stderr.String()))
		}
	})
	return p
}

// short returns the end of a long text, to keep a failed test readable.
func short(s string) string {
	const most = 6 << 10
	if len(s) > most {
		return "… " + s[len(s)-most:]
	}
	return s
}

// started returns the running processes that carry the mark, including the process itself.
func (p *process) started() []int { return carrying(markVariable, p.mark) }

// clusters returns the running processes that it started.
func (p *process) clusters() []int {
	return slices.DeleteFunc(p.started(), func(pid int) bool { return pid == p.cmd.Process.Pid })
}

// exit waits for its end and returns the exit code.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("still runs after %v", patience)
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop ends it by SIGTERM and expects exit 0, no process left and no secret shown. It returns the
// time that took.
func (p *process) stop() time.Duration {
	p.t.Helper()
	p.silent()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("it had ended by itself: %v", err)
	}
	if code := p.exit(); code != 0 {
		p.t.Errorf("exit %d after SIGTERM", code)
	}
	took := time.Since(began)
	p.gone()
	return took
}

// gone expects no process left.
func (p *process) gone() {
	p.t.Helper()
	if left := p.started(); len(left) > 0 {
		p.t.Errorf("processes are left: %v", left)
	}
	p.silent()
}

// silent expects no secret in its output, its arguments and those of its clusters.
func (p *process) silent() {
	p.t.Helper()
	places := map[string]string{"stdout": p.stdout.String(), "stderr": p.stderr.String()}
	for _, pid := range p.started() {
		if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil {
			places[fmt.Sprintf("the command line of process %d", pid)] = string(line)
		}
	}
	for where, what := range places {
		wantSilent(p.t, where, what)
	}
}

// wantSilent expects no secret in what.
func wantSilent(t *testing.T, where, what string) {
	t.Helper()
	for _, secret := range []string{token, authorization} {
		if strings.Contains(what, secret) {
			t.Errorf("%s shows the secret %s", where, secret)
		}
	}
}

// line is one line of a log.
type line map[string]any

// lines returns the log's lines with a message, or all for "".
func (p *process) lines(message string) (all []line) {
	for text := range strings.Lines(p.stderr.String()) {
		var l line
		if json.Unmarshal([]byte(text), &l) == nil && (message == "" || l["message"] == message) {
			all = append(all, l)
		}
	}
	return all
}

// complaints returns the warnings and errors of the log.
func (p *process) complaints() []line {
	return slices.DeleteFunc(p.lines(""), func(l line) bool { return l["level"] != "warn" && l["level"] != "error" })
}

// line waits for a line with the message and returns the first.
func (p *process) line(message string) line {
	p.t.Helper()
	eventually(p.t, message, func() bool {
		select {
		case <-p.ended:
			p.t.Fatalf("ended without logging %s", message)
		default:
		}
		return len(p.lines(message)) > 0
	})
	return p.lines(message)[0]
}

// complained expects exactly one complaint, with this message and this text in it.
func (p *process) complained(message, text string) {
	p.t.Helper()
	p.line(message)
	all := p.complaints()
	if len(all) != 1 || all[0]["message"] != message || !strings.Contains(fmt.Sprint(all[0]), text) {
		p.t.Errorf("want one complaint, %s with %q, got %d: %v", message, text, len(all), all)
	}
}

// eventually polls until ok, for conditions without a signal.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	late := time.After(patience)
	for !ok() {
		select {
		case <-ticker.C:
		case <-late:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// direct uses a connection for each request: its server may close a kept one just as it is used.
var direct = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// settings is a configuration, by key. The value "-" removes a default of run.
type settings map[string]string

// variables returns the settings as environment.
func (s settings) variables() (env []string) {
	for _, key := range slices.Sorted(maps.Keys(s)) {
		if s[key] != "-" {
			env = append(env, "CONTROL_"+strings.ToUpper(strings.ReplaceAll(key, ".", "__"))+"="+s[key])
		}
	}
	return env
}

// run starts `control run -- command` with a state folder of its own, which must show no secret
// when the test ends.
func run(t *testing.T, s settings, command ...string) *process {
	t.Helper()
	return control(t, runEnv(t, s), append([]string{"run", "--"}, command...)...)
}

// runEnv returns the environment of run.
func runEnv(t *testing.T, s settings) []string {
	t.Helper()
	// A bot for each test: two programs with one token refuse each other.
	all := settings{"state.dir": folder(t), "machine.source": "e2e", "discord.token": token + "." + messages.Secret(t.Name()).Fingerprint()}
	maps.Copy(all, s)
	return all.variables()
}

// role starts `control run` with this test binary in a role as its clusters.
func role(t *testing.T, s settings, name string) *process {
	t.Helper()
	return control(t, append(runEnv(t, s), roleVariable+"="+name), "run", "--", self)
}

// folder returns a folder with a name short enough for sockets. Its files must show no secret at
// the end.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(home, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer os.RemoveAll(dir)
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			what, err := os.ReadFile(path)
			wantSilent(t, path, string(what))
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
	return dir
}
