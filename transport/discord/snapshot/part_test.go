package snapshot

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// A snapshot is copied in parts, whatever its size, and the copy counts with the last one.
func TestParts(t *testing.T) {
	for _, size := range []int{1, PartSize - 1, PartSize, PartSize + 1, 3*PartSize + 7} {
		from, to := filepath.Join(t.TempDir(), "shard-0"), filepath.Join(t.TempDir(), "cluster-1", "shard-0")
		plain := make([]byte, size)
		for i := range plain {
			plain[i] = byte(rand.IntN(4))
		}
		if err := os.WriteFile(from, plain, 0o600); err != nil {
			t.Fatal(err)
		}
		for offset, parts := int64(0), 0; ; parts++ {
			part, next, err := ReadPart(from, offset)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(to); err == nil {
				t.Fatalf("%d bytes: the copy counts after %d parts", size, parts)
			}
			if err := WritePart(to, offset, part, next == 0); err != nil {
				t.Fatal(err)
			}
			if len(part) > PartSize/2 && size > PartSize {
				t.Errorf("a part has %d bytes", len(part))
			}
			if offset = next; offset == 0 {
				break
			}
		}
		got, err := os.ReadFile(to)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: the copy has %d (%v)", size, len(got), err)
		}
		if info, err := os.Stat(to); err != nil || info.Mode().Perm() != modeFile {
			t.Errorf("the copy is %v (%v)", info.Mode(), err)
		}
	}
}

// Parts that do not belong together leave the snapshot that is there.
func TestPartRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shard-0")
	if err := os.WriteFile(path, bytes.Repeat([]byte("old"), PartSize), 0o600); err != nil {
		t.Fatal(err)
	}
	part, next, err := ReadPart(path, 0)
	if err != nil || next != PartSize {
		t.Fatal(next, err)
	}
	if _, _, err := ReadPart(path, 3*PartSize); !errors.Is(err, errPart) {
		t.Errorf("beyond the end: %v", err)
	}
	if _, _, err := ReadPart(path, -1); !errors.Is(err, errPart) {
		t.Errorf("before the beginning: %v", err)
	}
	bomb, err := compress(make([]byte, 64<<20))
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"the second part first": WritePart(path, next, part, true),
		"no part":               WritePart(path, 0, []byte("garbage"), true),
		"a part of 64 MiB":      WritePart(path, 0, bomb, true),
		"one part twice":        errors.Join(WritePart(path, 0, part, false), WritePart(path, 0, part, false), WritePart(path, 7, part, true)),
	} {
		if !errors.Is(err, errPart) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || len(got) != 3*PartSize {
		t.Errorf("the snapshot has %d bytes (%v)", len(got), err)
	}
}
