package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/ipc"
	"github.com/discluster/control/transport/master"
	"github.com/discluster/control/transport/proc"
)

// newWorld returns the World of this machine, with its small files in a folder.
func newWorld(files *folder, log zerolog.Logger) *world.World {
	return &world.World{
		Clocks: world.NewClocks(time.Now),
		After: func(d time.Duration, fn func()) func() {
			t := time.AfterFunc(max(d, 0), fn)
			return func() { t.Stop() }
		},
		Dial:   dial,
		Listen: master.Listen,
		Start:  proc.Start,
		Find:   proc.Find,
		Intent: proc.Intent,
		Holders: func(prefix string, done func([]string, error)) {
			go func() { done(proc.Holders(prefix)) }()
		},
		Save:    files.save,
		Load:    files.load,
		Remove:  files.remove,
		List:    files.list,
		Grep:    grep,
		Hook:    hook,
		Unlink:  func(path string) { go unlinkSocket(path) },
		Fetch:   fetch,
		Uptime:  ipc.Uptime,
		Rand:    rand.Float64,
		Starved: func() bool { return false },
		Log:     log,
		Secrets: secrets,
	}
}

// countedWorld returns a World whose mailboxes and links are counted, as CONTROL uses it.
func countedWorld(files *folder, log zerolog.Logger) (*world.World, *mailboxes, *links) {
	w, boxes, lines := newWorld(files, log), newMailboxes(), &links{}
	w.Props, w.Dial = boxes.props, lines.dial
	return w, boxes, lines
}

func dial(to transport.Target, done func(transport.Link, error)) func() {
	if path, socket := strings.CutPrefix(to.URL, "unix:"); socket {
		return ipc.Dial(path, done)
	}
	return master.Dial(to, done)
}

func unlinkSocket(path string) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		_ = os.Remove(path) // a dead name in CONTROL's own folder does no harm
	}
}

func fetch(r world.Request, done func(world.Response, error)) func() {
	ctx, cancel := context.WithTimeout(context.Background(), r.Timeout)
	go func() {
		defer cancel()
		done(fetchNow(ctx, r))
	}()
	return cancel
}

// fetchNow sends one request. Its errors name only the host: the rest of an address may be a
// secret, as a webhook's is.
func fetchNow(ctx context.Context, r world.Request) (world.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return world.Response{}, fmt.Errorf("%s: %w", r.Method, withoutAddress(err))
	}
	for name, value := range r.Header {
		req.Header.Set(name, value)
	}
	client := *http.DefaultClient
	if r.Stay {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	resp, err := client.Do(req)
	if err != nil {
		return world.Response{}, fmt.Errorf("%s %s: %w", r.Method, req.URL.Host, withoutAddress(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, world.ResponseMax+1))
	switch {
	case err != nil:
		return world.Response{}, fmt.Errorf("%s %s: %w", r.Method, req.URL.Host, err)
	case len(body) > world.ResponseMax:
		return world.Response{}, fmt.Errorf("%s %s: answer over %d bytes", r.Method, req.URL.Host, world.ResponseMax)
	}
	return world.Response{Status: resp.StatusCode, Header: headersOf(resp.Header), Body: body}, nil
}

// headersOf returns the headers that actors read.
func headersOf(h http.Header) map[string]string {
	picked := map[string]string{}
	for _, name := range world.ResponseHeaders {
		if value := h.Get(name); value != "" {
			picked[name] = value
		}
	}
	return picked
}

// withoutAddress returns the error in a url.Error, which holds no address.
func withoutAddress(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
