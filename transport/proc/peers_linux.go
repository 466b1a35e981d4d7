package proc

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// established is TCP's state in /proc/net/tcp (include/net/tcp_states.h of the kernel).
const established = "01"

// Peers lists the far ends of the TCP connections that the processes of a group have now, each
// once; its leader may have ended. A connection of which nothing can be read is left out.
func Peers(group int) ([]netip.AddrPort, error) {
	members, err := membersOf(group)
	if err != nil {
		return nil, err
	}
	remote := map[string]netip.AddrPort{} // by "socket:[inode]"
	for _, table := range []string{"tcp", "tcp6"} {
		text, err := readProc(members[0], "net/"+table)
		if err != nil {
			return nil, err
		}
		maps.Copy(remote, connections([]byte(text)))
	}
	found := map[netip.AddrPort]bool{}
	for _, pid := range members {
		folder := fmt.Sprintf("/proc/%d/fd/", pid)
		files, _ := os.ReadDir(folder)
		for _, f := range files {
			to, _ := os.Readlink(folder + f.Name())
			if far, is := remote[to]; is {
				found[far] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), netip.AddrPort.Compare), nil
}

// membersOf lists the processes of a group, one at least.
func membersOf(group int) (pids []int, err error) {
	names, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, e := range names {
		pid, notPID := strconv.Atoi(e.Name())
		if notPID != nil {
			continue
		}
		if fields, err := lookAt(pid); err == nil && fields[2] == strconv.Itoa(group) {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		return nil, fmt.Errorf("process group %d: %w", group, ErrGone)
	}
	return pids, nil
}

// connections reads a table of /proc/net (proc_net_tcp(5)): the far ends of established
// connections, by the names that their sockets have in /proc/<pid>/fd.
func connections(table []byte) map[string]netip.AddrPort {
	all := map[string]netip.AddrPort{}
	lines := bufio.NewScanner(bytes.NewReader(table))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != established {
			continue
		}
		if far, ok := parseFar(fields[2]); ok {
			all["socket:["+fields[9]+"]"] = far
		}
	}
	return all
}

// parseFar reads an address of such a table: words of four bytes in the machine's order, which is
// little-endian wherever bots run, and the port.
func parseFar(text string) (netip.AddrPort, bool) {
	address, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(address)
	n, bad := strconv.ParseUint(port, 16, 16)
	if err != nil || bad != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(b, 4) {
		slices.Reverse(word)
	}
	ip, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), ok
}
