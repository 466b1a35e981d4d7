//go:build linux

package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// clusters is the largest number of processes of a stage: eight that answer and one that asks.
const clusters = 9

// stage is CONTROL or its replacement, with cluster processes that take orders.
type stage struct {
	b       testing.TB
	dir     string
	middle  int    // process id of CONTROL or the relay
	discord string // the simulated Discord's URL
	workers []*worker
	come    net.Listener // the address of orders
}

// onControl returns a stage whose cluster processes run under the daemon as shipped.
func onControl(b testing.TB, role string, n int) *stage {
	s := newStage(b)
	env := append(s.settings(n, 1), roleVariable+"="+role, "CONTROL_LOG__LEVEL=error")
	s.middle = s.spawn(env, binary(b), "run", "--", os.Args[0])
	return s.gather(n)
}

// settings starts a simulated Discord for this number of shards, and returns the environment of a
// CONTROL with perCluster shards a cluster.
func (s *stage) settings(shards, perCluster int, flags ...string) []string {
	listen := free(s.b)
	s.discord = "http://" + listen
	s.spawn(nil, binary(s.b), append([]string{"discord", "--listen", listen, "--shards", strconv.Itoa(shards), "--max-concurrency", "16"}, flags...)...)
	eventually(s.b, "the simulated Discord listens", func() bool {
		c, err := net.Dial("tcp", listen)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return []string{
		"DISCORD_TOKEN=x", "DISCORD_API=" + s.discord, discordVariable + "=" + s.discord, "CONTROL_STATE__DIR=" + filepath.Join(s.dir, "state"),
		"CONTROL_ADMIN__LISTEN=", "CONTROL_CLUSTER__SHARDS_PER_CLUSTER=" + strconv.Itoa(perCluster),
	}
}

// onFloor returns a stage of the same cluster processes around a relay.
func onFloor(b testing.TB, relay string, n int) *stage {
	s := newStage(b)
	var sockets []string
	for id := range n {
		socket := filepath.Join(s.dir, fmt.Sprint(id))
		sockets = append(sockets, socket)
		s.spawn([]string{roleVariable + "=bare", "DISCLUSTER_SOCKET=" + socket, "SHARDING_INSTANCE_IPC=1", "CLUSTER_ID=" + fmt.Sprint(id)}, os.Args[0])
	}
	s.middle = s.spawn([]string{roleVariable + "=" + relay, socketsVariable + "=" + strings.Join(sockets, ":")}, os.Args[0])
	return s.gather(n)
}

func newStage(b testing.TB) *stage {
	dir, err := os.MkdirTemp("", "b")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &stage{b: b, dir: dir}
	if s.come, err = net.Listen("unix", s.orders()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.come.Close() })
	return s
}

// spawn starts a process that ends with the stage.
func (s *stage) spawn(env []string, program string, args ...string) (pid int) {
	return s.spawnTo(os.Stderr, env, program, args...).Process.Pid
}

// spawnTo is spawn with another place for what the process logs.
func (s *stage) spawnTo(log *os.File, env []string, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, ordersVariable + "=" + s.orders()}, env...)
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.b.Fatal(err)
	}
	s.b.Cleanup(func() { // an ordered end, which also ends the clusters of CONTROL
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	return cmd
}

func (s *stage) orders() string { return filepath.Join(s.dir, "orders") }

// gather waits until n cluster processes have connected for their orders.
func (s *stage) gather(n int) *stage {
	_ = s.come.(*net.UnixListener).SetDeadline(time.Now().Add(time.Minute))
	s.workers = make([]*worker, n)
	for range n {
		c, err := s.come.Accept()
		if err != nil {
			s.b.Fatalf("a cluster process did not come: %v", err)
		}
		s.b.Cleanup(func() { _ = c.Close() })
		w := &worker{json.NewEncoder(c), json.NewDecoder(bufio.NewReader(c))}
		var name string
		if err := w.in.Decode(&name); err != nil {
			s.b.Fatal(err)
		}
		id, err := strconv.Atoi(name)
		if err != nil {
			s.b.Fatal(err)
		}
		s.workers[id] = w
	}
	return s
}

// do sends one process an order and waits for the result.
func (s *stage) do(id int, o order) figures {
	f, err := s.workers[id].start(o)()
	if err != nil {
		s.b.Fatalf("cluster %d, %s: %v", id, o.Do, err)
	}
	return f
}

// stream makes cluster 0 send n messages to cluster 1 and returns how long the receiver took.
func (s *stage) stream(n, size int) figures {
	o := order{N: n, Size: size, Credits: filepath.Join(s.dir, "credits")}
	o.Do = "receive"
	received := s.workers[1].start(o)
	o.Do = "send"
	s.do(0, o)
	f, err := received()
	if err != nil {
		s.b.Fatalf("cluster 1 receives: %v", err)
	}
	return f
}

// children returns the processes that a process started, in order.
func (s *stage) children(pid int) (all []int) {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // by the thread that forked
	if err != nil {
		s.b.Fatal(err)
	}
	for _, list := range lists {
		text, _ := os.ReadFile(list) // none of a thread that has ended
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				s.b.Fatal(err)
			}
			all = append(all, child)
		}
	}
	slices.Sort(all)
	return all
}

// cpu returns the CPU time of the process in the middle so far.
func (s *stage) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.middle))
	if err != nil {
		s.b.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / 100 // clock ticks, 100 a second on Linux
}

// free returns an address at which nothing listens.
func free(b testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// eventually polls until a condition without a signal holds.
func eventually(b testing.TB, what string, ok func() bool) {
	b.Helper()
	late := time.After(30 * time.Second)
	for tick := time.Tick(10 * time.Millisecond); !ok(); {
		select {
		case <-tick:
		case <-late:
			b.Fatalf("not within 30 s: %s", what)
		}
	}
}
