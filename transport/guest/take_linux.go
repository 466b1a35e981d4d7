package guest

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Identity returns the number of a channel's end, which no other socket of this boot has; 0: it is
// unknown.
func Identity(own *os.File) uint64 {
	var s unix.Stat_t
	if unix.Fstat(int(own.Fd()), &s) != nil || s.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return 0
	}
	return s.Ino
}

// Take returns this side's end of the channel of a bot that another process started: the bot
// inherited it as file descriptor fd, and it must be the one with this identity.
func Take(pid, fd int, identity uint64) (*os.File, error) {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("channel of process %d: %w", pid, err)
	}
	defer func() { _ = unix.Close(process) }()
	taken, err := unix.PidfdGetfd(process, fd, 0)
	if err != nil {
		return nil, fmt.Errorf("channel of process %d: %w", pid, err)
	}
	own := os.NewFile(uintptr(taken), "channel")
	if got := Identity(own); got == 0 || got != identity {
		_ = own.Close()
		return nil, fmt.Errorf("channel of process %d: file %d of it is another one", pid, fd)
	}
	return own, nil
}
