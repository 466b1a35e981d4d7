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

// Secrets of every test: whoever shows one fails (process.silent).
const (
	token         = "ODEzODQ3ODg3NjU3MTIzODQ.e2e-bot-token.never-shown" // it begins with guilds.Bot in base64, where disgo finds its application's id
	authorization = "e2e.link-secret.never-shown"
)

// patience is how long a test waits for what must happen, on a machine that does much else, or stands still for half a minute.
const patience = 3 * time.Minute

// markVariable is in the environment of all that a test starts, and of what that starts.
const markVariable = "E2E_MARK"

// process is one control that a test runs.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	mark   string
	stdout text
	stderr text
	ended  chan struct{} // closed when it has exited
}

// text takes what a process writes.
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

// control starts the binary, in an environment of PATH, HOME and env alone. It dies with the test, and all that it started with it.
func control(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return start(t, env, binary, args...)
}

// start is control for any program.
func start(t *testing.T, env []string, program string, args ...string) *process {
	t.Helper()
	mark := rand.Text()
	own := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), markVariable + "=" + mark, homeVariable + "=" + home,
		"CONTROL_ADMIN__LISTEN="} // for all tests at once have one default port
	return launch(t, mark, append(own, env...), program, args)
}

// again starts the same once more, as its operator would. It answers for the processes of both lives.
func (p *process) again() *process {
	p.t.Helper()
	return launch(p.t, p.mark, p.cmd.Env, p.cmd.Path, p.cmd.Args[1:])
}

// launch starts a program, in this environment alone.
func launch(t *testing.T, mark string, env []string, program string, args []string) *process {
	t.Helper()
	p := &process{t: t, mark: mark, ended: make(chan struct{})}
	p.cmd = exec.Command(program, args...)
	p.cmd.Env = env
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = 20 * time.Second // for a process that leaves others behind, which hold its output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // ProcessState tells
		close(p.ended)
	}()
	t.Cleanup(func() {
		for _, pid := range p.started() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		<-p.ended
		if t.Failed() {
			t.Logf("%s %s\nstdout: %s\nstderr: %s", filepath.Base(program), strings.Join(args, " "), short(p.stdout.String()), short(p.stderr.String()))
		}
	})
	return p
}

// short keeps a failed test readable.
func short(s string) string {
	const most = 6 << 10
	if len(s) > most {
		return "… " + s[len(s)-most:]
	}
	return s
}

// started are the processes that carry the mark, itself among them while it lives.
func (p *process) started() []int { return carrying(markVariable, p.mark) }

// clusters are the processes it started that live now.
func (p *process) clusters() []int {
	return slices.DeleteFunc(p.started(), func(pid int) bool { return pid == p.cmd.Process.Pid })
}

// exit waits for its end, and gives the code.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("still runs after %v", patience)
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop ends it as an operator would: SIGTERM, exit 0, nothing left, nothing given away. It gives the time that took.
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

// gone wants no process left.
func (p *process) gone() {
	p.t.Helper()
	if left := p.started(); len(left) > 0 {
		p.t.Errorf("processes are left: %v", left)
	}
	p.silent()
}

// silent wants no secret in its output, its arguments and those of its clusters.
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

// wantSilent wants no secret in what.
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

// lines are the log's lines with a message, or all for "".
func (p *process) lines(message string) (all []line) {
	for text := range strings.Lines(p.stderr.String()) {
		var l line
		if json.Unmarshal([]byte(text), &l) == nil && (message == "" || l["message"] == message) {
			all = append(all, l)
		}
	}
	return all
}

// complaints are the lines that somebody should read: warnings and errors.
func (p *process) complaints() []line {
	return slices.DeleteFunc(p.lines(""), func(l line) bool { return l["level"] != "warn" && l["level"] != "error" })
}

// line waits for a line with the message.
func (p *process) line(message string) line {
	p.t.Helper()
	eventually(p.t, message, func() bool {
		select {
		case <-p.ended:
			p.t.Fatalf("ended without saying %s", message)
		default:
		}
		return len(p.lines(message)) > 0
	})
	return p.lines(message)[0]
}

// complained wants exactly one complaint, with this message and this text somewhere in it.
func (p *process) complained(message, text string) {
	p.t.Helper()
	p.line(message)
	all := p.complaints()
	if len(all) != 1 || all[0]["message"] != message || !strings.Contains(fmt.Sprint(all[0]), text) {
		p.t.Errorf("want one complaint, %s with %q, got %d: %v", message, text, len(all), all)
	}
}

// eventually waits until ok, for what gives no signal to the outside.
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

// direct asks by a connection of its own each time: one that is kept may be closed by its server in the very moment it is used.
var direct = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// settings are a configuration, by key. "-" as a value takes a default of run back.
type settings map[string]string

// variables are the settings as environment.
func (s settings) variables() (env []string) {
	for _, key := range slices.Sorted(maps.Keys(s)) {
		if s[key] != "-" {
			env = append(env, "CONTROL_"+strings.ToUpper(strings.ReplaceAll(key, ".", "__"))+"="+s[key])
		}
	}
	return env
}

// run starts `control run -- command`, with a state folder of its own, which shows no secret when the test ends.
func run(t *testing.T, s settings, command ...string) *process {
	t.Helper()
	return control(t, runEnv(t, s), append([]string{"run", "--"}, command...)...)
}

// runEnv is the environment of run.
func runEnv(t *testing.T, s settings) []string {
	t.Helper()
	all := settings{"state.dir": folder(t), "machine.source": "e2e", "discord.token": token + "." + messages.Secret(t.Name()).Fingerprint()} // one bot a test: two of one token refuse each other
	maps.Copy(all, s)
	return all.variables()
}

// role starts `control run` with this test binary in a role as its clusters.
func role(t *testing.T, s settings, name string) *process {
	t.Helper()
	return control(t, append(runEnv(t, s), roleVariable+"="+name), "run", "--", self)
}

// folder is a folder with a name short enough for sockets. What is in it at the end must show no secret.
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
