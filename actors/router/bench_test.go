package router

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	codec "github.com/discluster/control/transport/ipc"
)

// These benchmarks run the Router on real sockets, each in turns with a floor on the same sockets:
// the time for the same bytes on the same ways without reading them. The instances are bare sockets
// in both.

const ff = 0x0C // ends a frame (PROTOCOL A1)

// bare is an instance's end of a socket.
type bare struct {
	net.Conn
	in *bufio.Reader
}

func (i *bare) read(b testing.TB) []byte {
	frame, err := i.in.ReadSlice(ff)
	if err != nil {
		b.Error(err)
		runtime.Goexit()
	}
	return frame
}

func (i *bare) write(b testing.TB, frame []byte) {
	if _, err := i.Conn.Write(frame); err != nil {
		b.Error(err)
		runtime.Goexit()
	}
}

// dialBare listens as an instance does, and returns its path and, once dialled, its end.
func dialBare(b testing.TB, dial func(path string)) *bare {
	dir, err := os.MkdirTemp("", "r")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go dial(l.Addr().String())
	conn, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return &bare{conn, bufio.NewReaderSize(conn, 64<<10)}
}

// onRouter returns n instances that are wired to a Router as a Cluster wires them.
func onRouter(b testing.TB, n int) []*bare {
	board := newSwitchboard(b, Options{Eval: true}, 0, false)
	var all []*bare
	for id := range n {
		linked := make(chan transport.Link, 1)
		all = append(all, dialBare(b, func(path string) {
			codec.Dial(path, func(l transport.Link, err error) {
				if err != nil {
					b.Error(err)
				}
				linked <- l
			})
		}))
		link := <-linked
		board.root.Send(board.router, ConnOpened{Conn: Conn{Cluster: messages.ClusterID(id), Shards: messages.ShardRange{First: 2 * id, Last: 2*id + 1}, Link: link, Stock: true}, Fleet: FleetShape{2 * n, 2}})
		board.root.Send(board.router, ConnGreeted{Link: link})
		ReadLink(link, board.root, board.router, func(_ []byte, err error) { b.Error(err) }, func(error) {})
		b.Cleanup(func() { link.Close(0, "") })
	}
	return all
}

// onFloor returns n instances, whose other ends go to a substitute for CONTROL.
func onFloor(b *testing.B, n int) (all, control []*bare) {
	for range n {
		dialled := make(chan net.Conn, 1)
		all = append(all, dialBare(b, func(path string) {
			c, err := net.Dial("unix", path)
			if err != nil {
				b.Error(err)
			}
			dialled <- c
		}))
		c := <-dialled
		control = append(control, &bare{c, bufio.NewReaderSize(c, 64<<10)})
	}
	return all, control
}

// relay passes frames on from one socket to another, and looks for their ends only. It writes at
// once what it read at once.
func relay(from, to *bare) {
	out := bufio.NewWriterSize(to.Conn, 64<<10)
	for {
		frame, err := from.in.ReadSlice(ff)
		if err != nil {
			return
		}
		if _, err := out.Write(frame); err != nil {
			return
		}
		if from.in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return
			}
		}
	}
}

// packet is a frame as it is on the socket.
func packet(text string) []byte {
	return append([]byte(`{"type":"__DDOO__.MESSAGE","data":`+text+`}`), ff)
}

const eventID = "14386338866709265695994074015643729926"

// turns measures two ways in turns, n operations each, and reports both and how many times as long
// ours takes, and how much of the floor's rate it reaches.
func turns(b *testing.B, n, messages int, floor, ours func(n int)) {
	floor(n / 10)
	ours(n / 10)
	var below, here, belowCPU, hereCPU time.Duration
	var allocs uint64
	var before, after runtime.MemStats
	for b.Loop() {
		began, used := time.Now(), cpu()
		floor(n)
		below += time.Since(began)
		belowCPU += cpu() - used
		runtime.ReadMemStats(&before)
		began, used = time.Now(), cpu()
		ours(n)
		here += time.Since(began)
		hereCPU += cpu() - used
		runtime.ReadMemStats(&after)
		allocs += after.Mallocs - before.Mallocs
	}
	each := float64(n * b.N)
	b.ReportMetric(float64(below.Nanoseconds())/each/1000, "floor-µs/op")
	b.ReportMetric(float64(here.Nanoseconds())/each/1000, "ours-µs/op")
	b.ReportMetric(float64(here)/float64(below), "times-floor")
	b.ReportMetric(float64(hereCPU)/float64(belowCPU), "times-floor-cpu")
	b.ReportMetric(float64(below)/float64(here)*100, "%-of-rate")
	b.ReportMetric(float64(allocs)/each/float64(messages), "allocs/message")
	b.ReportMetric(0, "ns/op")
}

// cpu returns the CPU time of this process, which leaves out other processes of the machine.
func cpu() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkToControlAndBack is a request that CONTROL answers by itself. The floor's answer has the
// same bytes.
func BenchmarkToControlAndBack(b *testing.B) {
	ask := packet(`{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"` + eventID + `","script":"1","shards":[],"context":{}}}`)
	us := onRouter(b, 1)[0]
	us.write(b, ask)
	answer := bytes.Clone(us.read(b))
	raw, control := onFloor(b, 1)
	go func() {
		for {
			if _, err := control[0].in.ReadSlice(ff); err != nil {
				return
			}
			if _, err := control[0].Conn.Write(answer); err != nil {
				return
			}
		}
	}()
	round := func(i *bare) func(int) {
		return func(n int) {
			for range n {
				i.write(b, ask)
				i.read(b)
			}
		}
	}
	turns(b, 2000, 2, round(raw[0]), round(us))
}

// BenchmarkToAnotherAndBack is a request to one other cluster.
func BenchmarkToAnotherAndBack(b *testing.B) {
	ask := packet(`{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"` + eventID + `","script":"1","shards":[1],"context":{}}}`)
	us := onRouter(b, 2)
	go answers(us[1])
	raw, control := onFloor(b, 2)
	go relay(control[0], control[1])
	go relay(control[1], control[0])
	go answers(raw[1])
	round := func(i *bare) func(int) {
		return func(n int) {
			for range n {
				i.write(b, ask)
				i.read(b)
			}
		}
	}
	turns(b, 1000, 2, round(raw[0]), round(us[0]))
}

// answers is an instance that answers whatever it is asked; an event_id has 38 digits on both ways.
func answers(i *bare) {
	answer := packet(`{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"` + eventID + `","result":42}}`)
	at := bytes.Index(answer, []byte(eventID))
	for {
		frame, err := i.in.ReadSlice(ff)
		if err != nil {
			return
		}
		from := bytes.Index(frame, []byte(`"event_id":"`)) + len(`"event_id":"`)
		copy(answer[at:], frame[from:from+len(eventID)])
		if _, err := i.Conn.Write(answer); err != nil {
			return
		}
	}
}

// BenchmarkBroadcast is a request to eight clusters, and the answer made of eight. Its floor is
// what one would write first: every frame decoded, and encoded again.
func BenchmarkBroadcast(b *testing.B) {
	ask := packet(`{"op":0,"t":"BROADCAST_EVAL","d":{"event_id":"` + eventID + `","script":"(({ app }) => app.sharding.instance)","shards":[0,1,2,3,4,5,6,7],"context":{}}}`)
	us := onRouter(b, 9)
	for _, i := range us[:8] {
		go answers(i)
	}
	raw, control := onFloor(b, 9)
	for _, i := range raw[:8] {
		go answers(i)
	}
	go naive(control)
	round := func(i *bare) func(int) {
		return func(n int) {
			for range n {
				i.write(b, ask)
				if frame := i.read(b); bytes.Count(frame, []byte("42")) != 8 {
					b.Errorf("answered %s", frame)
				}
			}
		}
	}
	turns(b, 300, 17, round(raw[8]), round(us[8]))
}

// naive is a substitute for CONTROL as one would write it first: the last of its instances asks,
// the others answer.
func naive(control []*bare) {
	type frame struct {
		Type string         `json:"type"`
		Data map[string]any `json:"data"`
	}
	results := make(chan any)
	asker := control[len(control)-1]
	others := control[:len(control)-1]
	read := func(i *bare) (f frame, err error) {
		text, err := i.in.ReadSlice(ff)
		if err == nil {
			err = json.Unmarshal(text[:len(text)-1], &f)
		}
		return f, err
	}
	write := func(i *bare, f frame) error {
		text, err := json.Marshal(f)
		if err == nil {
			_, err = i.Conn.Write(append(text, ff))
		}
		return err
	}
	for _, i := range others {
		go func() {
			for {
				f, err := read(i)
				if err != nil {
					return
				}
				results <- f.Data["d"].(map[string]any)["result"]
			}
		}()
	}
	for {
		f, err := read(asker)
		if err != nil {
			return
		}
		d := f.Data["d"].(map[string]any)
		event := d["event_id"]
		for n, i := range others {
			d["event_id"] = fmt.Sprintf("%s%02d", eventID[:36], n)
			if write(i, f) != nil {
				return
			}
		}
		all := make([]any, 0, len(others))
		for range others {
			all = append(all, <-results)
		}
		if write(asker, frame{f.Type, map[string]any{"op": 0, "t": f.Data["t"], "d": map[string]any{"event_id": event, "result": all}}}) != nil {
			return
		}
	}
}

// BenchmarkOneWay is messages of two sizes from one cluster to another. At most inFlight are under
// way, as between bots that count what they sent: the Router refuses what is too much for a reader,
// a bare socket holds its sender up.
func BenchmarkOneWay(b *testing.B) {
	for _, size := range []int{100, 4096} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			frame := packet(`{"op":0,"t":"MESSAGE","d":{"event_id":"1","shards":[1],"message":""}}`)
			frame = bytes.Replace(frame, []byte(`""`), []byte(`"`+strings.Repeat("x", max(size-len(frame), 0))+`"`), 1)
			us := onRouter(b, 2)
			raw, control := onFloor(b, 2)
			go relay(control[0], control[1])
			way := func(from, to *bare) func(int) {
				return func(n int) { stream(b, from, to, frame, n) }
			}
			b.SetBytes(0)
			turns(b, 100_000, 1, way(raw[0], raw[1]), way(us[0], us[1]))
		})
	}
}

// stream sends n frames, each in a write of its own, and reads them.
func stream(b *testing.B, from, to *bare, frame []byte, n int) {
	const batch = 16
	inFlight := make(chan struct{}, max(2<<20/(batch*len(frame)), 1)) // batches
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range n {
			if i%batch == 0 {
				inFlight <- struct{}{}
			}
			from.write(b, frame)
		}
	}()
	for i := range n {
		to.read(b)
		if i%batch == 0 {
			<-inFlight
		}
	}
	<-done
}
