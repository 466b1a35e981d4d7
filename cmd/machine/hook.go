package machine

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/discluster/control/transport/proc"
)

// hookDrain bounds the wait for a hook that was killed, or that left its stdin to a child.
const hookDrain = time.Second

// hook runs a command of the operator in a process group of its own and returns at once. The
// command gets input on its stdin and CONTROL's environment without CONTROL_* and the token. Its
// output is dropped, and the group is killed after limit.
func hook(argv []string, input []byte, limit time.Duration, done func(error)) {
	go func() { done(hookNow(argv, input, limit)) }()
}

func hookNow(argv []string, input []byte, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Env = hookEnv(ChildEnv())
	c.Stdin = bytes.NewReader(input) // stdout and stderr are /dev/null
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = hookDrain
	err := proc.Run(c)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("hook %s: killed after %v", argv[0], limit)
	default:
		return fmt.Errorf("hook %s: %w", argv[0], err)
	}
}

// hookEnv returns the part of an environment that a hook gets.
func hookEnv(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		return strings.HasPrefix(kv, "CONTROL_") || strings.HasPrefix(kv, "DISCORD_TOKEN=")
	})
}
