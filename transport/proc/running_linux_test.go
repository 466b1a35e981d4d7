package proc

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// end leaves out a process that ran before, and recognises another one that has its pid by the
// inode.
func TestEndExcept(t *testing.T) {
	const entry = "TEST_END_EXCEPT=1"
	start := func() (pid int, inode uint64) {
		cmd := exec.Command("sleep", "1000")
		cmd.Env = []string{entry}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		eventually(t, "its environment can be read", func() bool { // a moment after exec it cannot
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", cmd.Process.Pid))
			return len(text) > 0
		})
		all, err := list()
		if err != nil || all[cmd.Process.Pid] == 0 || all[os.Getpid()] == 0 {
			t.Fatalf("%v: %v", err, all)
		}
		return cmd.Process.Pid, all[cmd.Process.Pid]
	}
	for _, test := range []struct {
		name   string
		except func(pid int, inode uint64) running
		want   int
	}{
		{"the same process", func(pid int, inode uint64) running { return running{pid: inode} }, 0},
		{"another with its pid", func(pid int, inode uint64) running { return running{pid: inode + 1} }, 1},
		{"another with its inode", func(pid int, inode uint64) running { return running{pid + 1: inode} }, 1},
		{"none", func(int, uint64) running { return nil }, 1},
	} {
		if n, err := end(test.except(start()), entry); n != test.want || err != nil {
			t.Errorf("%s: ended %d, %v; want %d", test.name, n, err, test.want)
		}
		end(nil, entry)
	}
}

// Two processes of which the kernel knows no inode may be the same one.
func TestUnknownInode(t *testing.T) {
	if r := (running{7: inodeUnknown, 8: 2}); r.has(7, inodeUnknown) || r.has(9, 0) || !r.has(8, 2) {
		t.Error("a process without an inode is recognised, or one with it is not")
	}
}

// A listing finds each process again by the same inode.
func TestListKeepsInodes(t *testing.T) {
	first, err := list()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := list(); err != nil || again[os.Getpid()] != first[os.Getpid()] || again[os.Getppid()] != first[os.Getppid()] {
		t.Errorf("we are %d, our parent %d: %v\nthen %v, %v", os.Getpid(), os.Getppid(), first, again, err)
	}
}
