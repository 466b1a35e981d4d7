//go:build linux

package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"
)

// orders is the address at which processes connect for their orders.
const ordersVariable = "BENCH_ORDERS"

// order is a measurement: N requests to the clusters, each after the answer to the previous one; or
// N messages one way, for which another process gets the order to receive them.
type order struct {
	Do      string `json:"do"` // "ask", "send", "receive", "post", "flood"
	Targets []int  `json:"targets,omitempty"`
	N       int    `json:"n"`
	Size    int    `json:"size,omitempty"`    // bytes of a message
	Credits string `json:"credits,omitempty"` // address at which the receiver pays the sender
}

// figures are the results of an order.
type figures struct {
	Took time.Duration `json:"took"`
	P50  time.Duration `json:"p50,omitempty"` // of one request
	P99  time.Duration `json:"p99,omitempty"`
	Err  string        `json:"err,omitempty"`
}

// spread sorts the times of single requests.
func spread(took time.Duration, each []time.Duration) figures {
	slices.Sort(each)
	return figures{Took: took, P50: each[len(each)/2], P99: each[len(each)*99/100]}
}

// obey announces this process and carries out orders until the connection ends.
func obey(name string, do func(order) (figures, error)) error {
	c, err := net.Dial("unix", os.Getenv(ordersVariable))
	if err != nil {
		return err
	}
	out, in := json.NewEncoder(c), json.NewDecoder(bufio.NewReader(c))
	if err := out.Encode(name); err != nil {
		return err
	}
	for {
		var o order
		switch err := in.Decode(&o); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		f, err := do(o)
		if err != nil {
			f.Err = err.Error()
		}
		if err := out.Encode(f); err != nil {
			return err
		}
	}
}

// worker is a process that takes orders.
type worker struct {
	out *json.Encoder
	in  *json.Decoder
}

// start sends an order and returns a function that waits for its result.
func (w *worker) start(o order) (wait func() (figures, error)) {
	if err := w.out.Encode(o); err != nil {
		return func() (figures, error) { return figures{}, err }
	}
	return func() (f figures, err error) {
		if err = w.in.Decode(&f); err == nil && f.Err != "" {
			err = fmt.Errorf("%s", f.Err)
		}
		return f, err
	}
}
