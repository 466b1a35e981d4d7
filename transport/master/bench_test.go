package master

import (
	"encoding/json"
	"os"
	"testing"
)

// BenchmarkDecode reads one info, the largest packet of CONTROL, as MASTER does, and compares it
// with JSON alone.
func BenchmarkDecode(b *testing.B) {
	info, err := os.ReadFile("testdata/control_00_info.json")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("floor", func(b *testing.B) {
		b.SetBytes(int64(len(info)))
		for b.Loop() {
			var v any
			if err := json.Unmarshal(info, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("master", func(b *testing.B) {
		b.SetBytes(int64(len(info)))
		for b.Loop() {
			if _, err := DecodeFromControl(info); err != nil {
				b.Fatal(err)
			}
		}
	})
}
