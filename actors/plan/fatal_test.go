package plan

import (
	"testing"

	"github.com/discluster/control/messages"
)

func TestFatalCode(t *testing.T) {
	for _, c := range []struct {
		name string
		e    messages.FailureError
		want int
	}{
		{"by code", messages.FailureError{Code: 4014, Message: "whatever"}, 4014},
		{"a code that a restart may cure", messages.FailureError{Code: 4009}, 0},
		{"the code wins over the text", messages.FailureError{Code: 4000, Message: "received close code 4004 with reason x"}, 0},
		{"stock Discordoo's text", messages.FailureError{Message: "[WebSocketManager] Shard 0 can not be connected because it received close code 4004 with reason fake 4004"}, 4004},
		{"its text of another code", messages.FailureError{Message: "received close code 4008 with reason x"}, 0},
		{"a token that REST refused", messages.FailureError{Message: "[GatewayManager] Invalid token provided"}, 4004},
		{"REST out of reach", messages.FailureError{Message: "Get gateway request ended with error: {}"}, 0},
		{"no words", messages.FailureError{}, 0},
		{"a number that is no code", messages.FailureError{Message: "received close code 999999"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := FatalCode(c.e); got != c.want {
				t.Errorf("FatalCode = %d, want %d", got, c.want)
			}
		})
	}
}

// Whatever a bot reports, the result is 0 or one of Discord's fatal codes.
func FuzzFatalCode(f *testing.F) {
	f.Add(0, "received close code 4004")
	f.Add(4011, "")
	f.Fuzz(func(t *testing.T, code int, text string) {
		if got := FatalCode(messages.FailureError{Code: code, Message: text}); got != 0 && !messages.FatalCode(got) {
			t.Fatalf("FatalCode = %d", got)
		}
	})
}

// Every fatal code has a hint, and no other has.
func TestFatalHint(t *testing.T) {
	for code := 4000; code < 5000; code++ {
		if hint := FatalHint(code); (hint != "") != messages.FatalCode(code) {
			t.Errorf("%d: %q", code, hint)
		}
	}
}
