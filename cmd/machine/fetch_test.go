package machine

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/actors/world"
)

// The path of an address may be a secret.
func TestFetchErrorsHideAddress(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	at := server.URL
	server.Close()
	for _, url := range []string{at + "/hunter2", "http://127.0.0.1:1/hunter2?x", "hunter2://x", "http://\x00hunter2", "http://[hunter2"} {
		done := make(chan error)
		fetch(world.Request{Method: "POST", URL: url, Timeout: time.Minute}, func(_ world.Response, err error) { done <- err })
		if err := <-done; err == nil || strings.Contains(err.Error(), "hunter2/") || strings.Contains(err.Error(), "/hunter2") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
