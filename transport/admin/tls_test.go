package admin

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
)

// With a certificate the API speaks TLS alone; plain HTTP gets no answer.
func TestTLS(t *testing.T) {
	lent := httptest.NewTLSServer(http.NotFoundHandler()) // used for its certificate, of 127.0.0.1
	defer lent.Close()
	_, at := serve(t, Options{TLS: &lent.TLS.Certificates[0], Token: "the-token"}, &stub{view: aView()})
	trusted := x509.NewCertPool()
	trusted.AddCert(lent.Certificate())
	for version, ok := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS10, MaxVersion: version}}}
		r, err := http.NewRequest("GET", "https://"+at+"/api/v1/machine", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer the-token")
		answer, err := client.Do(r)
		if (err == nil && answer.StatusCode == http.StatusOK) != ok {
			t.Errorf("%s: %v %v", tls.VersionName(version), answer, err)
		}
		if err == nil {
			answer.Body.Close()
		}
		client.CloseIdleConnections()
	}
	if r, err := http.Get("http://" + at + "/healthz"); err == nil {
		if r.Body.Close(); r.StatusCode == http.StatusOK {
			t.Error("it answers plain HTTP")
		}
	}
}
