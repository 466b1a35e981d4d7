package ipc

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/discluster/control/transport"
)

// readAll returns every frame of r, and the error after the last one.
func readAll(r io.Reader) (frames []string, err error) {
	in := newFrameReader(r)
	for {
		f, err := in.next()
		if err != nil {
			return frames, err
		}
		frames = append(frames, string(f))
	}
}

func TestFrames(t *testing.T) {
	long := strings.Repeat("x", 3*readBuffer+1)
	for _, c := range []struct {
		name, stream string
		want         []string
		err          error
	}{
		{"nothing", "", nil, io.EOF},
		{"one", "a\f", []string{"a"}, io.EOF},
		{"coalesced", "a\fbc\fd\f", []string{"a", "bc", "d"}, io.EOF},
		{"empty ones", "\f\fa\f\f", []string{"a"}, io.EOF},
		{"a partial one behind", "a\fb", []string{"a"}, io.ErrUnexpectedEOF},
		{"longer than the buffer", long + "\fa\f", []string{long, "a"}, io.EOF},
		{"characters of several bytes", "é\f漢\f", []string{"é", "漢"}, io.EOF},
		{"broken UTF-8 is handed on", "\xff\xfe\fa\f", []string{"\xff\xfe", "a"}, io.EOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"at once":      strings.NewReader(c.stream),
				"byte by byte": iotest.OneByteReader(strings.NewReader(c.stream)),
				"with the end": iotest.DataErrReader(strings.NewReader(c.stream)),
			} {
				if got, err := readAll(r); !slices.Equal(got, c.want) || !errors.Is(err, c.err) {
					t.Errorf("%s: got %.80q, %v; want %.80q, %v", how, got, err, c.want, c.err)
				}
			}
		})
	}
}

func TestFrameLimit(t *testing.T) {
	most := strings.Repeat("x", MaxFrame)
	if got, err := readAll(strings.NewReader(most + "\f")); len(got) != 1 || len(got[0]) != MaxFrame || err != io.EOF {
		t.Errorf("%d bytes: got %d frames, %v", MaxFrame, len(got), err)
	}
	for name, stream := range map[string]string{"ended": most + "x\f", "never ended": most + most} {
		if got, err := readAll(strings.NewReader("a\f" + stream)); len(got) != 1 || !errors.Is(err, transport.ErrTooLarge) || !strings.Contains(err.Error(), "8388608") {
			t.Errorf("%s: got %d frames, %v", name, len(got), err)
		}
	}
}

// pieces returns data in chunks of the given sizes, repeatedly.
type pieces struct {
	data  []byte
	sizes []byte
	turn  int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := len(p.data)
	if len(p.sizes) > 0 {
		n = min(n, 1+int(p.sizes[p.turn%len(p.sizes)]))
		p.turn++
	}
	n = copy(b, p.data[:n])
	p.data = p.data[n:]
	return n, nil
}

// However a stream is split, its frames are the texts between the separators.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("a\f\fb"), []byte{0})
	f.Add([]byte("é\f漢\f"), []byte{0, 1})
	var all []byte
	for _, r := range traced(f) { // a long seed is minimised for minutes
		all = append(append(all, r.raw...), separator)
	}
	f.Add(all, []byte{200, 3, 90})
	f.Fuzz(func(t *testing.T, stream, sizes []byte) {
		parts := bytes.Split(stream, []byte{separator})
		tail := parts[len(parts)-1]
		var want []string
		for _, p := range parts[:len(parts)-1] {
			if len(p) > 0 {
				want = append(want, string(p))
			}
		}
		wantErr := io.EOF
		if len(tail) > 0 {
			wantErr = io.ErrUnexpectedEOF
		}
		if got, err := readAll(&pieces{data: stream, sizes: sizes}); !slices.Equal(got, want) || !errors.Is(err, wantErr) {
			t.Fatalf("got %q, %v; want %q, %v", got, err, want, wantErr)
		}
	})
}
