package proc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"sync/atomic"
	"syscall"
)

// running are the processes of a moment, each with the inode of its folder in /proc. The kernel
// counts these inodes up: a pid with the same inode is the same process, for the next one that has
// the pid gets another. So does a process whose folder the kernel dropped from its caches.
type running map[int]uint64

// inodeUnknown is the number of an inode that the kernel could not look up (proc_fill_cache in
// fs/proc/base.c).
const inodeUnknown = 1

// has reports whether it has this process.
func (r running) has(pid int, inode uint64) bool { return inode > inodeUnknown && r[pid] == inode }

// listed are the processes that list saw last.
var listed atomic.Pointer[running]

// list returns the running processes.
func list() (running, error) {
	fd, err := syscall.Open("/proc", syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("list /proc: %w", err)
	}
	defer func() { _ = syscall.Close(fd) }() // only read from
	all, buf := running{}, make([]byte, 32<<10)
	for {
		n, err := syscall.ReadDirent(fd, buf)
		switch {
		case err != nil:
			return nil, fmt.Errorf("list /proc: %w", err)
		case n == 0:
			listed.Store(&all)
			return all, nil
		}
		for rest := buf[:n]; len(rest) > 0; { // struct linux_dirent64, getdents64(2)
			inode, length := binary.NativeEndian.Uint64(rest), binary.NativeEndian.Uint16(rest[16:])
			name, _, _ := bytes.Cut(rest[19:length], []byte{0})
			if pid, err := strconv.Atoi(string(name)); err == nil {
				all[pid] = inode
			}
			rest = rest[length:]
		}
	}
}

// alreadyRunning returns processes that run now, not necessarily all: those that the last search
// saw.
func alreadyRunning() running {
	if last := listed.Load(); last != nil {
		return *last
	}
	all, _ := list() // without it none is known
	return all
}
