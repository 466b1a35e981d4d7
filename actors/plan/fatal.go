package plan

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/discluster/control/messages"
)

// closeCodeText is how stock Discordoo words a fatal close; the text is all there is (WIRE A3.4).
var closeCodeText = regexp.MustCompile(`received close code (\d{4})`)

// FatalCode is the close code of a bot's failure that no restart cures, or 0: from the SDK by code, from stock Discordoo by its text. A token that REST refused is 4004.
func FatalCode(e messages.FailureError) int {
	code := e.Code
	if m := closeCodeText.FindStringSubmatch(e.Message); code == 0 && m != nil {
		code, _ = strconv.Atoi(m[1])
	}
	if code == 0 && strings.Contains(e.Message, "Invalid token provided") {
		code = 4004
	}
	if !messages.FatalCode(code) {
		return 0
	}
	return code
}
