//go:build linux

package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// socketsVariable lists the sockets of the instances for which a relay replaces CONTROL.
const socketsVariable = "BENCH_SOCKETS"

// relay dials its instances, sends HELLO, and then relays their frames as its kind does. It ends
// with an instance.
func relay(carry func(all []*conn) error) error {
	var all []*conn
	for id, path := range strings.Split(os.Getenv(socketsVariable), ":") {
		c, err := dialled(path)
		if err != nil {
			return err
		}
		if _, err := c.Write(packet(`{"op":2,"d":{"id":"1","event_id":"%d","heartbeat_interval":5000,"shards":[%d],"total_shards":9}}`, id, id)); err != nil {
			return err
		}
		for range 2 { // IDENTIFY, CONNECTED
			if _, err := c.next(); err != nil {
				return err
			}
		}
		all = append(all, c)
	}
	return carry(all)
}

// dialled dials a socket as soon as it exists.
func dialled(path string) (*conn, error) {
	tick, late := time.Tick(5*time.Millisecond), time.After(10*time.Second)
	for {
		c, err := net.Dial("unix", path)
		if err == nil {
			return newConn(c), nil
		}
		select {
		case <-tick:
		case <-late:
			return nil, err
		}
	}
}

// answerItself answers every request of its one instance, as CONTROL answers a request to no
// cluster.
func answerItself(all []*conn) error {
	answer := newAnswerer("[]")
	for {
		frame, err := all[0].next()
		if err != nil {
			return err
		}
		if _, err := all[0].Write(answer.to(frame)); err != nil {
			return err
		}
	}
}

// passOn passes frames between two instances and only looks for their ends. Bytes that arrive
// together are sent together.
func passOn(all []*conn) error {
	ended := make(chan error, 2)
	for i, from := range all {
		out := bufio.NewWriterSize(all[1-i].Conn, 64<<10)
		go func() {
			for {
				frame, err := from.next()
				if err == nil {
					_, err = out.Write(frame)
				}
				if err == nil && from.in.Buffered() == 0 {
					err = out.Flush()
				}
				if err != nil {
					ended <- err
					return
				}
			}
		}()
	}
	return <-ended
}

// naively relays the requests of the last instance to the others in the obvious way: every frame is
// decoded and encoded again.
func naively(all []*conn) error {
	type frame struct {
		Type string         `json:"type"`
		Data map[string]any `json:"data"`
	}
	read := func(i *conn) (f frame, err error) {
		text, err := i.next()
		if err == nil {
			err = json.Unmarshal(text[:len(text)-1], &f)
		}
		return f, err
	}
	write := func(i *conn, f frame) error {
		text, err := json.Marshal(f)
		if err == nil {
			_, err = i.Write(append(text, separator))
		}
		return err
	}
	asker, others := all[len(all)-1], all[:len(all)-1]
	results, ended := make(chan any), make(chan error, len(others))
	for _, i := range others {
		go func() {
			for {
				f, err := read(i)
				if err != nil {
					ended <- err
					return
				}
				results <- f.Data["d"].(map[string]any)["result"]
			}
		}()
	}
	for {
		f, err := read(asker)
		if err != nil {
			return err
		}
		d, ok := f.Data["d"].(map[string]any)
		if !ok {
			return errors.New("no data")
		}
		event := d["event_id"]
		for n, i := range others {
			d["event_id"] = fmt.Sprintf("%s%02d", eventID[:36], n)
			if err := write(i, f); err != nil {
				return err
			}
		}
		together := make([]any, 0, len(others))
		for range others {
			select {
			case r := <-results:
				together = append(together, r)
			case err := <-ended:
				return err
			}
		}
		answer := frame{f.Type, map[string]any{"op": 0, "t": f.Data["t"], "d": map[string]any{"event_id": event, "result": together}}}
		if err := write(asker, answer); err != nil {
			return err
		}
	}
}
