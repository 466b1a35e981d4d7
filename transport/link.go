// Package transport defines what a connection is to the actors: whole frames both ways, without
// blocking.
//
// transport/master carries frames over the websocket to MASTER, transport/ipc over the unix socket
// of a cluster process; test/sim carries them in memory. The other folders hold what lies outside a
// mailbox: OS processes (proc), the bots' SDK (bot), Discord (discord).
package transport

import (
	"errors"
	"strconv"
)

// Link is one open connection. Its methods never block and are safe for concurrent use.
type Link interface {
	// Receive starts delivery: frame is called for every frame in order, then closed exactly once,
	// with the reason; neither is called from within Receive. The bytes are valid until frame
	// returns. It is called once. Frames that arrived earlier are kept.
	Receive(frame func([]byte), closed func(error))
	// Ack confirms that one delivered frame was processed. At most Window frames are delivered
	// without Ack, so that a slow reader slows its peer and memory stays bounded.
	Ack()
	// Send queues one whole frame. A frame over the link's size limit is refused with ErrTooLarge.
	// A full queue ends the link; then, and on an ended link, the error is ErrEnded.
	Send(frame []byte) error
	// Offer is Send for a frame that may be refused: if too much is queued for the peer, the error
	// is ErrBusy and the link stays open. The bytes stay the caller's.
	Offer(frame []byte) error
	// Close ends the link; queued frames are written first, for at most a second. code is ignored
	// by a link without close codes, and 0 is its default. closed is still called.
	Close(code int, reason string)
}

// Window is the number of frames that a Link delivers before it waits for Ack.
const Window = 64

// Errors of a Link, wrapped with the operation.
var (
	ErrTooLarge = errors.New("frame over the size limit")
	ErrEnded    = errors.New("link has ended")
	ErrBusy     = errors.New("peer reads too slowly: frame refused")
	ErrSlowPeer = errors.New("peer reads too slowly: send queue full")
)

// CloseError is the reason of an end where the peer sent a code (websocket close codes; 1006: the
// peer vanished).
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

// Target is an address to dial.
type Target struct {
	URL    string            // "ws://host:8642", "wss://…" or "unix:/path"
	Header map[string]string // of a websocket's handshake
}

// Greeting describes a new link to its listener.
type Greeting struct {
	Remote        string // address of the peer
	Authorization string // this and the next three are handshake headers (PROTOCOL A6, B1)
	Source        string
	Instance      string
	UserAgent     string
}
