//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// artifacts is the folder for screenshots; git ignores it.
const artifacts = "artifacts"

// browser is a page in a headless Chromium of its own, driven by the DevTools protocol
// (https://chromedevtools.github.io/devtools-protocol/). An exception, a missing file or a
// violation of the page's policy fails the test. Tests with a browser run one at a time, for it
// needs all of a small machine.
type browser struct {
	t       *testing.T
	conn    *websocket.Conn
	session string // of the page; "": calls go to the browser

	mu      sync.Mutex
	calls   int
	waiting map[int]chan devtools
}

// devtools is a message of the protocol: a call, its answer, or an event.
type devtools struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// chromium returns the path of a browser, or skips the test; in CI (.ci/run) it fails without one.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if program, err := exec.LookPath(name); err == nil {
			return program
		}
	}
	missing(t, "neither Chromium nor Chrome is in PATH; on Debian: apt-get install chromium")
	return ""
}

var devtoolsAt = regexp.MustCompile(`DevTools listening on (ws://\S+)`)

// browse starts a browser with an empty page.
func browse(t *testing.T) *browser {
	t.Helper()
	// Removed by the janitor: the browser's processes write for a while after its end.
	profile, err := os.MkdirTemp(home, "browser-")
	if err != nil {
		t.Fatal(err)
	}
	// Root has no sandbox; the browser opens only pages of the test.
	p := start(t, []string{"HOME=" + profile}, chromium(t), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
		"--no-first-run", "--log-level=3", "--remote-debugging-port=0", "--user-data-dir="+profile, "about:blank")
	var at []string
	eventually(t, "the browser listens", func() bool {
		at = devtoolsAt.FindStringSubmatch(p.stderr.String())
		return at != nil
	})
	b := &browser{t: t, waiting: map[int]chan devtools{}}
	if b.conn, _, err = websocket.DefaultDialer.Dial(at[1], nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.conn.Close() })
	go b.read()
	var target struct{ TargetID string }
	b.do("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.do("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.do(domain+".enable", nil, nil)
	}
	return b
}

// read passes the browser's answers to their calls and fails the test for its complaints.
func (b *browser) read() {
	for {
		var m devtools
		if b.conn.ReadJSON(&m) != nil {
			return // the test has ended, or its next call fails
		}
		switch m.Method {
		case "":
			b.mu.Lock()
			b.waiting[m.ID] <- m
			delete(b.waiting, m.ID)
			b.mu.Unlock()
		case "Runtime.exceptionThrown", "Log.entryAdded":
			if text := fmt.Sprint(m.Params); m.Method == "Runtime.exceptionThrown" || complaint.MatchString(text) {
				b.t.Errorf("the page complains: %s", text)
			}
		}
	}
}

// complaint reports an entry of the browser's log that is the page's fault. A failed connection is
// not, for tests kill servers.
var complaint = regexp.MustCompile(`level:error.* source:(security|javascript|rendering|other|violation)|status of 40[34]`)

// do calls a method and returns its result.
func (b *browser) do(method string, params, result any) {
	b.t.Helper()
	answer := make(chan devtools, 1)
	b.mu.Lock()
	b.calls++
	call := devtools{ID: b.calls, Session: b.session, Method: method, Params: params}
	b.waiting[call.ID] = answer
	err := b.conn.WriteJSON(call)
	b.mu.Unlock()
	if err != nil {
		b.t.Fatal(err)
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(m.Result, result); err != nil {
				b.t.Fatalf("%s: %v: %.300s", method, err, m.Result)
			}
		}
	case <-time.After(patience):
		b.t.Fatalf("%s: no answer within %v", method, patience)
	}
}

// eval returns the value of an expression in the page, after awaiting a promise.
func (b *browser) eval(expression string, value any) {
	b.t.Helper()
	var got struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.do("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &got)
	if got.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, got.ExceptionDetails)
	}
	if value != nil && got.Result.Value != nil {
		if err := json.Unmarshal(got.Result.Value, value); err != nil {
			b.t.Fatalf("%s: %v", expression, err)
		}
	}
}

// text returns an expression's value as text.
func (b *browser) text(expression string) (text string) {
	b.t.Helper()
	b.eval("String("+expression+")", &text)
	return text
}

// until waits until an expression is true.
func (b *browser) until(expression string) {
	b.t.Helper()
	eventually(b.t, expression, func() (is bool) { b.eval("!!("+expression+")", &is); return is })
}

// open goes to an address and waits until the page is live.
func (b *browser) open(url string) {
	b.t.Helper()
	b.do("Page.navigate", map[string]any{"url": url}, nil)
	b.until(`document.querySelector("#live")?.textContent === "● live" && document.querySelector(".tiles button")`)
}

// codes maps the keys that are not characters to Windows' key codes.
var codes = map[string]int{"Tab": 9, "Enter": 13, "Escape": 27, "PageUp": 33, "PageDown": 34, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}

// press presses keys, one after the other: a name of codes, or a character.
func (b *browser) press(keys ...string) {
	b.t.Helper()
	for _, key := range keys {
		down := map[string]any{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
		switch {
		case key == "Enter":
			down["text"] = "\r"
		case codes[key] == 0:
			down["text"] = key
		}
		b.do("Input.dispatchKeyEvent", down, nil)
		b.do("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}, nil)
	}
}

// look sets the size of the window and the colour scheme.
func (b *browser) look(width, height int, scheme string) {
	b.t.Helper()
	b.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	b.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// shoot saves a screenshot of the page.
func (b *browser) shoot(name string) {
	b.t.Helper()
	var shot struct{ Data []byte }
	b.do("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	path, err := filepath.Abs(filepath.Join(artifacts, name+".png"))
	if err == nil {
		err = os.MkdirAll(artifacts, 0o755)
	}
	if err == nil {
		err = os.WriteFile(path, shot.Data, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Logf("screenshot %s", path)
}
