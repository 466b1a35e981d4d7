package master

import (
	"encoding/json"
	"os"
	"testing"
)

// BenchmarkDecode is one info, the largest of CONTROL's packets, read by MASTER, beside what JSON alone takes.
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
