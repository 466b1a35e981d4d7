package botlog

import (
	"io"
	"strings"
	"testing"
	"time"
)

// BenchmarkReader reads 64 MiB of lines; floor only reads the same bytes.
func BenchmarkReader(b *testing.B) {
	const size = 64 << 20
	f := written(b, strings.Repeat(strings.Repeat("x", 99)+"\n", size/100))
	buf := make([]byte, chunkMax)
	var reading, floor time.Duration
	b.SetBytes(size)
	for b.Loop() {
		begin := time.Now()
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{io.NewSectionReader(f, 0, size)}, buf); err != nil {
			b.Fatal(err)
		}
		floor += time.Since(begin)
		begin = time.Now()
		lines := 0
		r := &reader{f: f, emit: func(Line) { lines++ }}
		for more := true; more; {
			var err error
			if more, err = r.round(buf); err != nil {
				b.Fatal(err)
			}
		}
		if reading += time.Since(begin); lines != size/100 {
			b.Fatal(lines)
		}
	}
	b.ReportMetric(float64(reading)/float64(floor), "×floor")
	b.ReportMetric(float64(size)/1e6*float64(b.N)/reading.Seconds(), "read-MB/s")
}
