package cmd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/discluster/control/cmd/daemon"
	"github.com/discluster/control/cmd/machine"
	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
)

// caller talks to the CONTROL or MASTER of a state folder, by its socket.
type caller struct {
	dir  string
	peer string // CONTROL or MASTER
	key  string // idempotency key of what is posted; "": none
	http *http.Client
	json bool // the answer is for programs
	// beyond clientWithin, for an answer that takes its time
	patience time.Duration
	out      io.Writer
}

// Limits of a caller: clientWithin for a request, answerMax and eventMax in bytes. A CONTROL that
// is upgraded is back within returnWithin.
const (
	clientWithin = 15 * time.Second
	answerMax    = 64 << 20
	eventMax     = 1 << 20
	returnEvery  = 500 * time.Millisecond
	returnWithin = 30 * time.Second
)

// unreachableError is an error that exits with exitUnreachable.
type unreachableError struct{ error }

func (u unreachableError) Unwrap() error { return u.error }

// problemError is an answer with an HTTP status over 299.
type problemError struct {
	status int
	admin.Problem
}

func (p *problemError) Error() string { return p.Message }

// connectFlags adds the flags that find a running CONTROL to a command. connect returns its caller
// after the flags were parsed.
func connectFlags(c *cobra.Command) (connect func() (*caller, error)) {
	file := c.Flags().StringP("config", "c", "", "configuration file (YAML), the one CONTROL was started with")
	c.Flags().String("state.dir", "", "state folder of the CONTROL to ask")
	forPrograms := c.Flags().Bool("json", false, "answer in JSON")
	return func() (*caller, error) {
		dir, err := config.StateDir(*file, os.Environ(), c.Flags())
		if err != nil {
			return nil, usageError(err)
		}
		to := newCaller(dir, *forPrograms, c.OutOrStdout())
		if f := c.Flags().Lookup(masterFlag); f != nil && f.Value.String() == "true" {
			to = to.at("MASTER", daemon.MasterSocket)
		}
		return to, nil
	}
}

// masterFlag makes a command ask MASTER instead of CONTROL.
const masterFlag = "master"

func newCaller(dir string, json bool, out io.Writer) *caller {
	c := &caller{dir: dir, json: json, out: out}
	return c.at("CONTROL", daemon.AdminSocket)
}

// at returns a caller of the peer behind a socket of the same state folder.
func (c *caller) at(peer, socket string) *caller {
	path := filepath.Join(c.dir, socket)
	return &caller{dir: c.dir, peer: peer, json: c.json, out: c.out, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}}}
}

// get returns the answer to a GET as it came, and decodes it into into.
func (c *caller) get(ctx context.Context, path string, into any) (raw []byte, err error) {
	return c.ask(ctx, http.MethodGet, path, nil, into)
}

// post returns the answer to a POST of body as it came, and decodes it into into.
func (c *caller) post(ctx context.Context, path string, body, into any) (raw []byte, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return c.ask(ctx, http.MethodPost, path, text, into)
}

func (c *caller) ask(ctx context.Context, method, path string, body []byte, into any) (raw []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, clientWithin+c.patience)
	defer cancel()
	r, err := c.send(ctx, method, path, body, "application/json")
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	raw, err = io.ReadAll(io.LimitReader(r.Body, answerMax))
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		return nil, fmt.Errorf("answer of %s: %w", c.peer, err)
	}
	return raw, nil
}

// send sends a request and returns a successful answer; close its body. Any other answer is a
// problemError, and none an unreachableError.
func (c *caller) send(ctx context.Context, method, path string, body []byte, accept string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", accept)
	r.Header.Set("Content-Type", "application/json")
	if c.key != "" {
		r.Header.Set(admin.OrderID, c.key)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, unreachableError{fmt.Errorf("state.dir %s: no %s answers there: %w; name another folder by --config or --state.dir", c.dir, c.peer, machine.WithoutAddress(err))}
	}
	if answer.StatusCode < 300 {
		return answer, nil
	}
	defer answer.Body.Close()
	var failure struct{ Error admin.Problem }
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&failure); err != nil {
		failure.Error.Message = answer.Status
	}
	return nil, &problemError{answer.StatusCode, failure.Error}
}

// show prints an answer: as it came with --json, else as table draws it.
func (c *caller) show(raw []byte, table func(w io.Writer)) {
	if c.json {
		fmt.Fprintln(c.out, strings.TrimSpace(string(raw)))
		return
	}
	table(c.out)
}

// event is one line of the stream.
type event struct {
	id    uint64
	name  string
	text  []byte // the whole line, as it came
	field map[string]any
	gap   bool // no event: some are no longer kept
}

// follow passes every event after an id, from a level on, to handle, until that returns true or ctx
// ends. If CONTROL goes away, follow waits for it for returnWithin: it may be upgraded.
func (c *caller) follow(ctx context.Context, after uint64, least messages.Level, handle func(event) (stop bool)) error {
	last, seen := after, time.Now()
	for {
		stopped, err := c.stream(ctx, last, least, func(e event) bool {
			last, seen = max(last, e.id), time.Now()
			return handle(e)
		})
		var gone unreachableError
		switch {
		case stopped:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			seen = time.Now()
		case !errors.As(err, &gone) || time.Since(seen) > returnWithin:
			return err
		}
		select {
		case <-time.After(returnEvery):
		case <-ctx.Done():
		}
	}
}

// stream is one connection of follow. It returns no error when CONTROL ends it.
func (c *caller) stream(ctx context.Context, after uint64, least messages.Level, handle func(event) (stop bool)) (stopped bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	path := "/api/v1/events?level=" + least.String()
	if after > 0 {
		path += "&after=" + strconv.FormatUint(after, 10)
	}
	answer, err := c.send(ctx, http.MethodGet, path, nil, "text/event-stream")
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, eventMax)
	gap := false
	for lines.Scan() {
		kind, value, _ := strings.Cut(lines.Text(), ": ")
		switch kind {
		case "event":
			gap = value == "gap"
		case "data":
			e, err := readEvent([]byte(value))
			e.gap, gap = gap, false
			if err != nil || handle(e) {
				return true, err
			}
		}
	}
	return false, nil
}

func readEvent(text []byte) (e event, err error) {
	var head struct {
		ID    uint64 `json:"id"`
		Event string `json:"event"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // keeps numbers as they came
	if err := errors.Join(json.Unmarshal(text, &head), d.Decode(&e.field)); err != nil {
		return e, fmt.Errorf("event of CONTROL: %w", err)
	}
	e.id, e.name, e.text = head.ID, head.Event, text
	return e, nil
}
