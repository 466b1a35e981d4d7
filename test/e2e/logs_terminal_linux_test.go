package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal returns both ends of a terminal: text written to one is read from the other.
func terminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("skipped: no terminal can be had here: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		program, err = os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Skipf("skipped: no terminal can be had here: %v", err)
	}
	return person, program
}

// On a terminal `control run` shows the output of the bots, by cluster, to the last line.
func TestOutputOnATerminal(t *testing.T) {
	t.Parallel()
	person, program := terminal(t)
	cmd := exec.Command(binary, "run", "--", self)
	cmd.Env = append(runEnv(t, lonely(nil)), "PATH="+os.Getenv("PATH"), "HOME="+t.TempDir(), homeVariable+"="+home, roleVariable+"=talks")
	cmd.Stderr = program
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	program.Close()
	defer func() { _ = cmd.Process.Kill() }()
	var shown text
	go io.Copy(&shown, person) // until the program ends

	for want, times := range map[string]int{"0 | bot ": 1, "1 | bot ": 1, "cluster.ready": 2} { // ready: a bot that takes SIGTERM
		eventually(t, want, func() bool { return strings.Count(shown.String(), want) >= times })
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, short(shown.String()))
	}
	eventually(t, "the last lines", func() bool { return strings.Count(shown.String(), " ends\r\n") == 2 })
	wantSilent(t, "the terminal", shown.String())
}
