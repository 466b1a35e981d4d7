package cmd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/discluster/control/transport/proc"
)

// hookDrain is how long a hook that was killed, or that left a child with its stdin, may keep us.
const hookDrain = time.Second

// hook runs one command of the operator's in a process group of its own and returns at once: input on its stdin, its output dropped, the group killed after limit.
// It gets our environment without what is CONTROL's own, and without the token.
func hook(argv []string, input []byte, limit time.Duration, done func(error)) {
	go func() { done(hookNow(argv, input, limit)) }()
}

func hookNow(argv []string, input []byte, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Env = hookEnv(withoutSystemd(os.Environ()))
	c.Stdin = bytes.NewReader(input) // stdout and stderr are /dev/null: there is nothing to bound
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

// hookEnv is what a hook sees of our environment.
func hookEnv(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		return strings.HasPrefix(kv, "CONTROL_") || strings.HasPrefix(kv, "DISCORD_TOKEN=")
	})
}
