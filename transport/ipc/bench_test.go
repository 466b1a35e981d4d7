package ipc

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"testing"
)

// BenchmarkDecode reads one HELLO, and compares it with JSON alone.
func BenchmarkDecode(b *testing.B) {
	hello := traced(b)[0].raw
	b.Run("floor", func(b *testing.B) {
		b.SetBytes(int64(len(hello)))
		for b.Loop() {
			var v any
			if err := json.Unmarshal(hello, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ipc", func(b *testing.B) {
		b.SetBytes(int64(len(hello)))
		for b.Loop() {
			if _, err := DecodeFromManager(hello); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkLink sends one frame of 512 bytes from end to end, and compares it with the bare socket,
// written frame by frame. A link that lags writes several at once, and may be faster.
func BenchmarkLink(b *testing.B) {
	frame := bytes.Repeat([]byte("x"), 512)
	b.Run("floor", func(b *testing.B) {
		near, far := sockets(b)
		read := make(chan error)
		go func() {
			_, err := io.Copy(io.Discard, far)
			read <- err
		}()
		b.SetBytes(int64(len(frame)))
		for b.Loop() {
			if _, err := near.Write(frame); err != nil {
				b.Fatal(err)
			}
		}
		near.Close()
		<-read
	})
	b.Run("ipc", func(b *testing.B) {
		near, far := connected(b)
		slots := make(chan struct{}, 128) // so that the queue never overflows
		far.Receive(func([]byte) { far.Ack(); <-slots }, func(error) {})
		b.SetBytes(int64(len(frame)))
		for b.Loop() {
			slots <- struct{}{}
			if err := near.Send(frame); err != nil {
				b.Fatal(err)
			}
		}
		near.Close(0, "")
		far.Close(0, "")
	})
}

// sockets returns both ends of a bare unix socket.
func sockets(b *testing.B) (near, far net.Conn) {
	l, err := net.Listen("unix", socketPath(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	if near, err = net.Dial("unix", l.Addr().String()); err != nil {
		b.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	return near, far
}
