package master

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/transport"
)

// handshakeWait is the time that either end waits for the other's part of the handshake, the
// connection included.
const handshakeWait = 10 * time.Second

// Dial opens a link to MASTER at to.URL, "ws://…" or "wss://…", with to.Header in the handshake. No
// proxy is used, whatever the environment has.
//
// done is called once, never from within Dial: with a link, or with an error that describes what
// was found instead (nothing reachable, no websocket, bad TLS, silence). MASTER refuses after a
// successful handshake, by a close code (PROTOCOL A6): this is a link that ends, not an error here.
// cancel abandons the attempt, which done reports, and closes a link whose Receive was never
// called.
func Dial(to transport.Target, done func(transport.Link, error)) (cancel func()) {
	return dialer{netDial: new(net.Dialer).DialContext}.dial(to, done)
}

// dialer is CONTROL's end of the handshake over any kind of connection.
type dialer struct {
	netDial func(ctx context.Context, network, address string) (net.Conn, error)
	tls     *tls.Config // nil: the system's
}

func (d dialer) dial(to transport.Target, done func(transport.Link, error)) (cancel func()) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		ws, err := d.handshake(ctx, to)
		if err != nil {
			done(nil, err)
			return
		}
		l := newLink(ws)
		context.AfterFunc(ctx, l.abandon)
		done(l, nil)
	}()
	return cancel
}

// handshake connects and upgrades; ctx bounds both.
func (d dialer) handshake(ctx context.Context, to transport.Target) (*websocket.Conn, error) {
	u, err := url.Parse(to.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "ws" && u.Scheme != "wss" {
		// the URL is not shown: it may hold a password
		return nil, errors.New("dial: want ws://host:port or wss://host:port")
	}
	where := u.Scheme + "://" + u.Host
	header := http.Header{}
	for name, value := range to.Header {
		header.Set(name, value)
	}
	release := func() bool { return true }
	wd := websocket.Dialer{
		HandshakeTimeout: handshakeWait,
		TLSClientConfig:  d.tls,
		NetDialContext: func(dialCtx context.Context, network, address string) (net.Conn, error) {
			conn, err := d.netDial(dialCtx, network, address)
			if err != nil {
				return nil, &unreachableError{err}
			}
			// gorilla reads the answer and ignores ctx
			release = context.AfterFunc(ctx, func() { conn.Close() })
			return conn, nil
		},
	}
	ws, resp, err := wd.DialContext(ctx, to.URL, header)
	if !release() || ctx.Err() != nil {
		if ws != nil {
			ws.Close()
		}
		return nil, fmt.Errorf("dial %s: abandoned: %w", where, context.Canceled)
	}
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", where, explain(err, resp))
	}
	if ext := resp.Header.Get("Sec-Websocket-Extensions"); ext != "" {
		// gorilla would inflate frames, past any limit, although the extension was not requested
		ws.Close()
		return nil, fmt.Errorf("dial %s: websocket extension %.60q: want none", where, ext)
	}
	return ws, nil
}

// unreachableError reports a connection that could not be made.
type unreachableError struct{ cause error }

func (e *unreachableError) Error() string { return "unreachable: " + e.cause.Error() }
func (e *unreachableError) Unwrap() error { return e.cause }

// explain returns an error that names what a failed handshake met.
func explain(err error, resp *http.Response) error {
	var unreachable *unreachableError
	var record tls.RecordHeaderError
	var certificate *tls.CertificateVerificationError
	var host x509.HostnameError
	var alert tls.AlertError
	switch {
	case errors.As(err, &unreachable):
		return unreachable
	case errors.Is(err, websocket.ErrBadHandshake) && resp != nil:
		return fmt.Errorf("not a websocket: answered %s %s: %w", resp.Proto, resp.Status, err)
	case errors.As(err, &record), errors.As(err, &certificate), errors.As(err, &host), errors.As(err, &alert):
		return fmt.Errorf("TLS: %w", err)
	case timedOut(err):
		return fmt.Errorf("no answer to the handshake within %s: %w", handshakeWait, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("connection ended during the handshake: %w", err)
	default:
		return fmt.Errorf("not a websocket: %w", err)
	}
}
