package ipc

import (
	"os"
	"strings"
	"testing"
)

func TestPeerOfAnotherUserIsRefused(t *testing.T) {
	conn, l := bare(t)
	defer l.Close(0, "")
	if err := checkPeer(conn, os.Geteuid()); err != nil {
		t.Errorf("ourselves: %v", err)
	}
	if err := checkPeer(conn, os.Geteuid()+1); err == nil || !strings.Contains(err.Error(), "runs as uid") {
		t.Errorf("another user: %v", err)
	}
}
