//go:build linux

package bench

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"time"
)

// bareInstance is a cluster process at the speed of a socket: it answers HELLO and evals, and
// measures by prepared frames. Its reader does all of it, so that no other goroutine must wake up.
type bareInstance struct {
	*conn
	answer answerer

	tasks chan *task // for the reader, taken with the next frame
}

// task is the reader's work on frames that are neither HELLO nor a request.
type task struct {
	request []byte // sent again after each answer; nil: frames are only counted
	credits net.Conn
	left    int
	n       int
	since   time.Time
	each    []time.Duration
	done    chan error
}

func bare() error { return serveBare(true) }

// quick takes no orders, and reports to the benchmark first of all that it runs.
func quick() error {
	c, err := net.Dial("unix", os.Getenv(ordersVariable))
	if err != nil {
		return err
	}
	defer c.Close()
	return serveBare(false)
}

func serveBare(obeys bool) error {
	listener, err := net.Listen("unix", os.Getenv("DISCLUSTER_SOCKET"))
	if err != nil {
		return err
	}
	c, err := listener.Accept()
	if err != nil {
		return err
	}
	i := &bareInstance{conn: newConn(c), answer: newAnswerer("42"), tasks: make(chan *task, 1)}
	greeted, ended := make(chan struct{}), make(chan error, 2)
	go func() { ended <- i.read(greeted) }()
	<-greeted
	if !obeys {
		return <-ended
	}
	go func() { ended <- obey(os.Getenv("CLUSTER_ID"), i.do) }()
	return <-ended
}

// read handles every frame.
func (i *bareInstance) read(greeted chan struct{}) error {
	id := os.Getenv("SHARDING_INSTANCE_IPC")
	var now *task
	for first := true; ; {
		frame, err := i.next()
		if err != nil {
			return err
		}
		if isHello(frame) {
			reply := packet(`{"op":1,"d":{"id":"%s","event_id":"%s"}}`, id, textOf(frame, "event_id"))
			if first {
				reply = append(reply, packet(`{"op":0,"t":"CONNECTED","d":{"event_id":"%s"}}`, id)...)
			}
			if _, err := i.Write(reply); err != nil {
				return err
			}
			if first {
				first = false
				close(greeted)
			}
			continue
		}
		if reply := i.answer.to(frame); reply != nil {
			if _, err := i.Write(reply); err != nil {
				return err
			}
			continue
		}
		if now == nil {
			now = <-i.tasks
		}
		if now.frame(i.conn, frame) {
			now = nil
		}
	}
}

// frame handles one frame of a task and reports whether it was the last.
func (t *task) frame(c *conn, frame []byte) (over bool) {
	if t.request != nil {
		now := time.Now()
		t.each, t.since = append(t.each, now.Sub(t.since)), now
		if bytes.Contains(frame, []byte(`"op":4`)) {
			t.done <- fmt.Errorf("answered %s", frame)
			return true
		}
	}
	if t.left == t.n && t.request == nil {
		t.since = time.Now()
	}
	t.left--
	var err error
	switch {
	case t.left == 0:
	case t.request != nil:
		_, err = c.Write(t.request)
	case (t.n-t.left)%batch == 0:
		err = pay(t.credits, 1)
	}
	if t.left == 0 || err != nil {
		t.done <- err
		return true
	}
	return false
}

func (i *bareInstance) do(o order) (figures, error) {
	began := time.Now()
	switch o.Do {
	case "ask":
		t := &task{request: eval(list(o.Targets)), left: o.N, n: o.N, since: began, each: make([]time.Duration, 0, o.N), done: make(chan error, 1)}
		i.tasks <- t
		if _, err := i.Write(t.request); err != nil {
			return figures{}, err
		}
		err := <-t.done
		if err != nil {
			return figures{}, err
		}
		return spread(time.Since(began), t.each), nil
	case "send":
		frame := message(o.Size)
		earned, err := dialled(o.Credits)
		if err != nil {
			return figures{}, err
		}
		defer earned.Close()
		err = paced(earned, o.N, func() error { _, err := i.Write(frame); return err })
		return figures{Took: time.Since(began)}, err
	case "receive":
		credits, stop, err := creditor(o.Credits)
		if err != nil {
			return figures{}, err
		}
		defer stop()
		t := &task{credits: credits, left: o.N, n: o.N, done: make(chan error, 1)}
		i.tasks <- t
		if err = pay(credits, advance(o.Size)); err == nil {
			err = within(t.done)
		}
		return figures{Took: time.Since(t.since)}, err
	}
	return figures{}, fmt.Errorf("no such order: %s", o.Do)
}
