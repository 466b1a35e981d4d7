// Package stage is what the programs of this module have in common: where Discord is, and the lines they print.
//
// Each program is a bot on a library that knows nothing of Discluster. It prints one line for whatever the library hands to its author:
//
//	ready · resumed · guild 4194304 channels 4 members 3 · message 17
//	presence dnd · voice 4194305 · members 3 · command ping · sent hello
//
// After its first guild it does once whatever the lines after "presence" answer: a presence, a voice channel, a request for all members, a slash command, a message.
package stage

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"sync"
)

// What the bots do.
const (
	Status  = "dnd"   // of their presence
	Command = "ping"  // the slash command that they register
	Message = "hello" // what they write
)

// Enter returns the bot's token, DISCORD_TOKEN. From then on each request to discord.com that goes by http.DefaultTransport goes to DISCORD_API:
// the libraries here have a variable for every address, or none at all.
func Enter() (token string) {
	api, err := url.Parse(os.Getenv("DISCORD_API"))
	if err != nil || api.Host == "" {
		fmt.Fprintf(os.Stderr, "DISCORD_API %q: want the address of a simulated Discord, http://host:port\n", os.Getenv("DISCORD_API"))
		os.Exit(2)
	}
	http.DefaultTransport = redirect{api, http.DefaultTransport}
	return os.Getenv("DISCORD_TOKEN")
}

// redirect sends the requests for discord.com elsewhere.
type redirect struct {
	to *url.URL
	by http.RoundTripper
}

func (r redirect) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host == "discord.com" {
		req = req.Clone(req.Context())
		req.URL.Scheme, req.URL.Host, req.Host = r.to.Scheme, r.to.Host, r.to.Host
	}
	return r.by.RoundTrip(req)
}

var printing sync.Mutex

// Print prints one line. It may be called from anywhere.
func Print(format string, args ...any) {
	printing.Lock()
	defer printing.Unlock()
	fmt.Printf(format+"\n", args...)
}

// Fail prints why something did not work, where there is something.
func Fail(what string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
	}
}
