package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/discluster/control/actors/world"
)

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
		return world.Response{}, fmt.Errorf("%s: %w", r.Method, WithoutAddress(err))
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
		return world.Response{}, fmt.Errorf("%s %s: %w", r.Method, req.URL.Host, WithoutAddress(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, world.ResponseMax+1))
	switch {
	case err != nil:
		return world.Response{}, fmt.Errorf("%s %s: %w", r.Method, req.URL.Host, err)
	case len(body) > world.ResponseMax:
		return world.Response{}, fmt.Errorf("%s %s: answer over %d bytes", r.Method, req.URL.Host, world.ResponseMax)
	}
	return world.Response{Status: resp.StatusCode, Header: HeadersOf(resp.Header), Body: body}, nil
}

// HeadersOf returns the headers that actors read.
func HeadersOf(h http.Header) map[string]string {
	picked := map[string]string{}
	for _, name := range world.ResponseHeaders {
		if value := h.Get(name); value != "" {
			picked[name] = value
		}
	}
	return picked
}

// WithoutAddress returns the error in a url.Error, which holds no address.
func WithoutAddress(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
