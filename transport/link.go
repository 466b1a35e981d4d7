// Package transport says what a connection is to the actors: whole frames both ways, no bytes, no blocking.
//
// transport/master carries frames over the websocket to MASTER, transport/ipc over the unix socket of a cluster process; test/sim carries them over nothing at all.
// The other folders hold what lies outside a mailbox: OS processes (proc), the bots' SDK (bot), Discord (discord).
package transport

import (
	"errors"
	"strconv"
)

// Link is one open connection. Its methods never block and may be called from anywhere.
type Link interface {
	// Receive begins delivery: frame is called for every frame in order, then closed exactly once, with the reason; neither is called from within Receive.
	// The bytes are good until frame returns. Called once. Frames that came before it are kept.
	Receive(frame func([]byte), closed func(error))
	// Took says that one delivered frame was dealt with. At most Window frames are under way at a time, so that a slow reader slows its peer and nobody's memory grows.
	Took()
	// Send queues one whole frame. A frame over the link's size limit is refused with ErrTooLarge. A full queue, or an ended link, ends in ErrEnded and the link's end.
	Send(frame []byte) error
	// Offer is Send for a frame that may be refused: where much waits for the peer already the error is ErrBusy, and the link lives on. The bytes stay the caller's.
	Offer(frame []byte) error
	// Close ends the link; frames already queued are written first, for at most a second. code 0 or a link that knows no close codes: just the end. closed is still called.
	Close(code int, reason string)
}

// Window is how many frames a Link delivers before it waits for Took.
const Window = 64

// Errors of a Link, wrapped with what was being done.
var (
	ErrTooLarge = errors.New("frame over the size limit")
	ErrEnded    = errors.New("link has ended")
	ErrBusy     = errors.New("peer reads too slowly: frame refused")
	ErrSlowPeer = errors.New("peer reads too slowly: send queue full")
)

// CloseError is why a link ended when its peer gave a code (websocket close codes; 1006: the peer vanished).
type CloseError struct {
	Code   int
	Reason string
}

func (e *CloseError) Error() string {
	if e.Reason == "" {
		return "closed by the peer with " + strconv.Itoa(e.Code)
	}
	return "closed by the peer with " + strconv.Itoa(e.Code) + ": " + e.Reason
}

// Target is where to dial.
type Target struct {
	URL    string            // "ws://host:8642", "wss://…" or "unix:/path"
	Header map[string]string // of a websocket's handshake
}

// Greeting is what a listener knows of a new link.
type Greeting struct {
	Remote        string // address of the peer
	Authorization string // these four are handshake headers (PROTOCOL A6, B1)
	Source        string
	Instance      string
	UserAgent     string
}
