package server

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/discluster/control/transport/discord/rules"
)

// A client that trusts the certificate reaches REST and gateway, by this machine's names and by
// Discord's; its gateway addresses are wss.
func TestTLS(t *testing.T) {
	certificate, err := NewCertificate(time.Now())
	must(t, err)
	_, base := start(t, Config{Rules: rules.Config{Token: "good"}, Certificate: certificate})
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(certificate.PEM) {
		t.Fatal("the PEM has no certificate")
	}
	for _, name := range []string{"", "discord.com", "gateway.discord.gg", "localhost"} {
		trust := &tls.Config{RootCAs: trusted, ServerName: name}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: trust}}
		defer client.CloseIdleConnections()
		req, err := http.NewRequest("GET", base+"/api/v10/gateway", nil)
		must(t, err)
		req.Host = name // as a client that resolved Discord's name to this server
		if name == "localhost" {
			req.Host = ""
		}
		resp, err := client.Do(req)
		must(t, err)
		var at struct{ URL string }
		must(t, json.NewDecoder(resp.Body).Decode(&at))
		must(t, resp.Body.Close())
		if want := "wss" + strings.TrimPrefix(base, "https"); at.URL != want {
			t.Errorf("gateway at %s, want %s", at.URL, want)
		}
		ws, _, err := (&websocket.Dialer{TLSClientConfig: trust}).Dial(at.URL+"/?v=10&encoding=json", nil)
		must(t, err)
		var f frame
		must(t, ws.ReadJSON(&f))
		if f.Op != opHello {
			t.Errorf("first op %d, want %d", f.Op, opHello)
		}
		must(t, ws.Close())
	}
	if _, err := http.Get(base + "/api/v10/gateway"); err == nil {
		t.Error("a client that does not trust it was served")
	}
}
