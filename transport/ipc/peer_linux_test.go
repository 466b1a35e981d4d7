package ipc

import (
	"net"
	"os"
	"strings"
	"testing"
)

func TestPeerOfAnotherUserIsRefused(t *testing.T) {
	path := socketPath(t)
	links := listen(t, path)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	defer (<-links).Close(0, "")
	if err := checkPeer(conn.(*net.UnixConn), os.Geteuid()); err != nil {
		t.Errorf("ourselves: %v", err)
	}
	if err := checkPeer(conn.(*net.UnixConn), os.Geteuid()+1); err == nil || !strings.Contains(err.Error(), "runs as uid") {
		t.Errorf("somebody else: %v", err)
	}
}
