package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A command that asks a running CONTROL needs the state folder of its configuration and nothing
// else. Mistakes in the names and values of keys are reported all the same.
func TestStateDir(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "control.yaml")
	text := "state: { dir: " + dir + " }\ndiscord: { token_file: /nonexistent }\ncluster: { ready: 'log \"up\"', protocol: sdk }\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file, nil, nil); err == nil {
		t.Fatal("the configuration is whole: the test shows nothing")
	}
	if got, err := StateDir(file, nil, nil); got != dir || err != nil {
		t.Errorf("got %q, %v; want %s", got, err, dir)
	}
	if _, err := StateDir(file, []string{"CONTROL_STATE__DRI=/x", "CONTROL_CLUSTER__STOP_GRACE=soon"}, nil); err == nil ||
		!strings.Contains(err.Error(), "CONTROL_STATE__DIR") || !strings.Contains(err.Error(), "cluster.stop_grace") {
		t.Errorf("got %v, want both mistakes", err)
	}
	if _, err := StateDir(file+".gone", nil, nil); err == nil {
		t.Error("a missing file is no error")
	}
}
