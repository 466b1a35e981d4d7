package master

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func FuzzDecodeFromMaster(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, frame []byte) { fixedPoint(t, frame, DecodeFromMaster, EncodeFromMaster) })
}

func FuzzDecodeFromControl(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, frame []byte) { fixedPoint(t, frame, DecodeFromControl, EncodeFromControl) })
}

// seed adds every golden packet to both fuzzers.
func seed(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		frame, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.TrimSpace(frame))
	}
	f.Add([]byte(`null`))
	f.Add([]byte(`{"o":8.0,"d":{"op":9,"seq":0}}`))
}

// fixedPoint checks that whatever is read can be written, and that it is then read as the same
// value.
func fixedPoint[P any](t *testing.T, frame []byte, decode func([]byte) (P, error), encode func(P) ([]byte, error)) {
	first, err := decode(frame)
	if err != nil {
		return
	}
	wrote, err := encode(first)
	if err != nil {
		t.Fatalf("%s: decoded %+v, which cannot be encoded: %v", frame, first, err)
	}
	second, err := decode(wrote)
	if err != nil {
		t.Fatalf("%s: encoded as %s, which cannot be decoded: %v", frame, wrote, err)
	}
	again, err := encode(second)
	if err != nil || !bytes.Equal(again, wrote) {
		t.Fatalf("%s: encoded as %s, then as %s: %v", frame, wrote, again, err)
	}
}
