package e2e

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// home is the folder of this run, which holds everything that tests write. It is in the environment
// of all that they start.
var home string

// homeVariable is the variable that names home.
const homeVariable = "E2E_HOME"

// employ makes home and starts the janitor: this test binary again, which waits for the end of the
// tests, kills what they started and removes what they wrote. It does so after a kill or a timeout
// too, which run no t.Cleanup. dismiss waits until the janitor has ended.
func employ() (dismiss func(), err error) {
	if home, err = os.MkdirTemp("", "e2e-"); err != nil {
		return nil, err
	}
	janitor := exec.Command(self)
	janitor.Env = append(os.Environ(), roleVariable+"=janitor", homeVariable+"_TO_CLEAN="+home)
	janitor.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // keeps Ctrl-C from it
	line, err := janitor.StdinPipe()
	if err == nil {
		err = janitor.Start()
	}
	return func() {
		_ = line.Close()
		_ = janitor.Wait()
	}, err
}

// clean runs the janitor.
func clean() int {
	home = os.Getenv(homeVariable + "_TO_CLEAN")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the tests are over
	for _, pid := range carrying(homeVariable, home) {
		_ = signalCarrier(pid, syscall.SIGKILL, homeVariable, home)
	}
	mounts, _ := os.ReadFile("/proc/mounts")
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], home+"/") {
			_ = exec.Command("umount", fields[1]).Run()
		}
	}
	if os.RemoveAll(home) != nil {
		return 1
	}
	return 0
}
