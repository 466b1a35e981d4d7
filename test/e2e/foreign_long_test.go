//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// node returns the path of node if the packages of node/ are installed, or skips the test.
func node(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node is not installed")
	}
	if _, err := os.Stat("node/node_modules"); err != nil {
		missing(t, "the packages are not installed; run `npm ci` in test/e2e/node")
	}
	return program
}

// python returns the path of the python with Debian's discord.py, or skips the test.
func python(t *testing.T) string {
	t.Helper()
	const program = "/usr/bin/python3"
	if out, err := exec.Command(program, "-c", "import discord").CombinedOutput(); err != nil {
		missing(t, fmt.Sprintf("discord.py is not installed; run `apt-get install python3-discord` (%v)\n%s", err, out))
	}
	return program
}

// foreign returns the path of a program in test/foreign, a module with the Go libraries, or skips
// the test if they cannot be downloaded.
func foreign(t *testing.T, name string) string {
	t.Helper()
	if err := foreignModules(); err != nil {
		missing(t, err.Error())
	}
	dir, err := foreignPrograms()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// foreignModules downloads the libraries, and foreignPrograms builds the programs, once.
var (
	foreignModules = sync.OnceValue(func() error { return inForeign("mod", "download") })

	foreignPrograms = sync.OnceValues(func() (string, error) {
		dir := filepath.Join(home, "foreign") + "/"
		return dir, inForeign("build", "-buildvcs=false", "-o", dir, "./...")
	})
)

// inForeign runs the go command in test/foreign.
func inForeign(args ...string) error {
	command := exec.Command("go", args...)
	command.Dir = "../foreign"
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s in test/foreign: %w\n%s", args[0], err, out)
	}
	return nil
}

// disgo under CONTROL: the SDK asks for its permits, and disgo identifies once. After that it
// resumes: after op 7, in the next process after kill -9, and under the next CONTROL.
func TestDisgo(t *testing.T) {
	t.Parallel()
	program := foreign(t, "sdk-disgo")
	d := startDiscord(t, 4, 2, "--jitter", "20ms", "--events", "2")
	p := run(t, d.settings(), program)
	resumed := func(why string, n int) {
		t.Helper()
		eventually(t, why, func() bool {
			s := d.stats()
			return s.Resumes == n && s.Owned == 4
		})
	}
	d.allReady()
	eventually(t, "CONTROL knows", func() bool { return len(p.lines("cluster.ready")) == 2 })
	d.fault(`{"kind":"reconnect"}`)
	resumed("every shard has resumed after op 7", 4)
	if all := p.complaints(); len(all) > 0 {
		t.Errorf("complaints: %v", all)
	}
	p.signal(p.clusters()[0], syscall.SIGKILL)
	resumed("two shards have resumed in the next process", 6)
	eventually(t, "CONTROL knows", func() bool { return len(p.lines("cluster.ready")) == 3 })
	p.stop()
	p = p.again()
	resumed("every shard has resumed under the next CONTROL", 10)
	eventually(t, "CONTROL knows", func() bool { return len(p.lines("cluster.ready")) == 2 })
	p.stop()
	d.wellBehaved()
	if s := d.stats(); s.ResumesRefused > 0 || s.Events.Lost > 0 {
		t.Errorf("%d resumes refused, %d events lost", s.ResumesRefused, s.Events.Lost)
	}
}
