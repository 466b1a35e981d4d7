package master

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/transport"
)

var errSilent = fmt.Errorf("no sign of life for %s", silence)

// ending is the meaning of a reader's error.
type ending struct {
	why     error
	answer  []byte // close frame the peer still waits for
	refused bool   // the peer broke a rule, and gorilla sent it a close frame
}

// endOf distinguishes a peer that closed, one that broke the rules and one that is gone.
func endOf(err error) ending {
	var code *websocket.CloseError
	var fromNet interface{ Timeout() bool } // gorilla's own errors lack it
	switch {
	case errors.As(err, &code) && code.Code != websocket.CloseAbnormalClosure:
		return ending{why: &transport.CloseError{Code: code.Code, Reason: code.Text}, answer: closeFrame(code.Code, "")}
	case code != nil: // gorilla's form of an end of the connection
		return ending{why: vanished(io.ErrUnexpectedEOF)}
	case errors.Is(err, websocket.ErrReadLimit):
		return ending{why: fmt.Errorf("receive: message over %d bytes: %w", MaxFrame, transport.ErrTooLarge), refused: true}
	case timedOut(err):
		return ending{why: vanished(errSilent)}
	case errors.As(err, &fromNet), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ending{why: vanished(err)}
	default:
		return ending{why: fmt.Errorf("receive: %w", err), refused: true}
	}
}

// timedOut reports whether a deadline ended it. gorilla's copies of network errors are not
// os.ErrDeadlineExceeded.
func timedOut(err error) bool {
	var fromNet interface{ Timeout() bool }
	return errors.As(err, &fromNet) && fromNet.Timeout()
}

// vanished returns the end of a link whose peer sent no close frame.
func vanished(cause error) error {
	return fmt.Errorf("%w: %w", &transport.CloseError{Code: websocket.CloseAbnormalClosure}, cause)
}

// reasonMax is the limit of a reason in a close frame, in bytes: 125 less the code (RFC 6455, 5.5).
const reasonMax = 123

// closeFrame returns the payload of a close frame. A longer reason is cut between characters.
func closeFrame(code int, reason string) []byte {
	if len(reason) > reasonMax {
		reason = reason[:reasonMax]
	}
	return websocket.FormatCloseMessage(code, strings.ToValidUTF8(reason, ""))
}
