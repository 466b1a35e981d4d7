package proc

import (
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
)

// connected returns a connection of this process, and its far end.
func connected(t *testing.T) (*net.TCPConn, netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.TCPConn), netip.MustParseAddrPort(l.Addr().String())
}

// A process has the connections that it holds, those of its group included, and none of another
// group.
func TestPeers(t *testing.T) {
	_, want := connected(t)
	if mine, err := Peers(syscall.Getpgrp()); !slices.Contains(mine, want) {
		t.Errorf("%v, %v; want %v", mine, err, want)
	}
	other := exec.Command("sleep", "60")
	other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	its, err := Peers(other.Process.Pid)
	if len(its) > 0 || err != nil {
		t.Errorf("%v, %v of a process without connections", its, err)
	}
	_ = other.Process.Kill()
	_ = other.Wait()
	if its, err = Peers(other.Process.Pid); err == nil {
		t.Errorf("%v of a process that is gone", its)
	}
}

// The leader of a group ends, and a process of it goes on with the connection.
func TestPeersWithoutLeader(t *testing.T) {
	c, want := connected(t)
	f, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	leader := exec.Command("sh", "-c", "sleep 60 >/dev/null 2>&1 & ")
	leader.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	leader.ExtraFiles = []*os.File{f}
	if err := leader.Run(); err != nil {
		t.Fatal(err)
	}
	group := leader.Process.Pid
	defer func() { _ = syscall.Kill(-group, syscall.SIGKILL) }()
	if its, err := Peers(group); !slices.Equal(its, []netip.AddrPort{want}) {
		t.Errorf("%v, %v; want %v", its, err, want)
	}
}

// A table has connections in other states, sockets that listen, addresses of both kinds, and lines
// that are none.
func TestConnections(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1001 1 0 100 0 0 10 0
   1: 0100007F:D431 EA86A2A2:01BB 01 00000000:00000000 00:00000000 00000000     0        0 1002 1 0 20 4 30 10 -1
   2: 0100007F:D432 EA86A2A2:01BB 06 00000000:00000000 00:00000000 00000000     0        0 1003 1 0 20 4 30 10 -1
   3: 0000000000000000FFFF00000100007F:D433 0000000000000000FFFF00000100007F:1F90 01 00000000:00000000 00:00000000 00000000 0 0 1004 1 0
   4: 00000000000000000000000001000000:D434 00000000000000000000000001000000:1F90 01 00000000:00000000 00:00000000 00000000 0 0 1005 1 0
   5: 0100007F:D435 XYZ:01BB 01 00000000:00000000 00:00000000 00000000     0        0 1006 1 0 20 4 30 10 -1
   6: 0100007F
`
	want := map[string]netip.AddrPort{
		"socket:[1002]": netip.MustParseAddrPort("162.162.134.234:443"),
		"socket:[1004]": netip.MustParseAddrPort("127.0.0.1:8080"),
		"socket:[1005]": netip.MustParseAddrPort("[::1]:8080"),
	}
	if got := connections([]byte(table)); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
