package client

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestGatewayURL(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   string
		err    string
	}{
		{"good", 200, `{"url":"wss://g","shards":9,"session_start_limit":{"total":1000,"remaining":7,"reset_after":14400000,"max_concurrency":16}}`,
			"wss://g", ""},
		{"refused token", 401, `{"message":"401: Unauthorized"}`, "", "Invalid token provided"},
		{"outage", 503, "down", "", "get /api/v10/gateway/bot: 503 Service Unavailable: down"},
		{"no object", 200, "<html>", "", `get /api/v10/gateway/bot: "<html>": want an object with a url`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/api/v10/gateway/bot" || r.Header.Get("Authorization") != "Bot secret" {
					t.Errorf("request is %s with %v", r.URL, r.Header)
				}
				w.WriteHeader(test.status)
				w.Write([]byte(test.body))
			}))
			defer s.Close()
			got, err := GatewayURL(t.Context(), s.URL, "secret")
			want(t, "gateway", got, test.want)
			if test.err == "" != (err == nil) || err != nil && !strings.HasPrefix(err.Error(), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
			var coded interface{ CloseCode() int }
			if errors.As(err, &coded) != (test.status == 401) {
				t.Errorf("error %v has a close code: %v", err, coded != nil)
			}
		})
	}
}
