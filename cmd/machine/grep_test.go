package machine

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestGrep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	done := make(chan error, 1)
	cancel := grep(file, regexp.MustCompile(`^Logged in as .+$`), func(err error) { done <- err })
	defer cancel()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, text := range []string{"starting\n", strings.Repeat("x", 3*lineMax) + "\n", "not Logged in as x\n", "Logged in", " as bot\n"} {
		select {
		case err := <-done:
			t.Fatalf("found before it was written: %v", err)
		default:
		}
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("not found")
	}
	grep(filepath.Join(file, "no", "folder"), regexp.MustCompile("x"), func(err error) { done <- err })
	if err := <-done; err == nil {
		t.Error("a file that cannot be opened is no error")
	}
	stop := grep(file, regexp.MustCompile("never"), func(err error) { done <- err })
	stop()
	select {
	case err := <-done:
		t.Errorf("cancelled, but done was called: %v", err)
	case <-time.After(3 * grepEvery):
	}
}
