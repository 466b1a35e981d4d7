package ipc

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Uptime is the kernel's.
func TestUptime(t *testing.T) {
	before := Uptime()
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	seconds, err := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	kernel := time.Duration(seconds * float64(time.Second))
	if after := Uptime(); kernel < before-20*time.Millisecond || kernel > after+20*time.Millisecond {
		t.Errorf("uptime %v to %v, the kernel's is %v", before, after, kernel)
	}
}
