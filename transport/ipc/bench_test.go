package ipc

import (
	"bytes"
	"testing"
)

func BenchmarkDecodeHello(b *testing.B) {
	hello := traced(b)[0].raw
	b.SetBytes(int64(len(hello)))
	for b.Loop() {
		if _, err := DecodeFromManager(hello); err != nil {
			b.Fatal(err)
		}
	}
}

// One frame at a time is under way for each slot of the window, so that the queue never overflows.
func BenchmarkLink(b *testing.B) {
	near, far := connected(b)
	frame := bytes.Repeat([]byte("x"), 512)
	slots := make(chan struct{}, maxQueued/2)
	far.Receive(func([]byte) { far.Took(); <-slots }, func(error) {})
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		slots <- struct{}{}
		if err := near.Send(frame); err != nil {
			b.Fatal(err)
		}
	}
	near.Close(0, "")
	far.Close(0, "")
}
