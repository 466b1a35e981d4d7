package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Names of the certificate: Discord's own, for clients that request no others, and this machine's.
var (
	discordNames         = []string{"discord.com", "gateway.discord.gg"}
	certificateNames     = append([]string{"localhost"}, discordNames...)
	certificateAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
)

// certificateLife is the validity of the certificate. It is made at each start, and its key never
// leaves the process.
const certificateLife = 7 * 24 * time.Hour

// Certificate is a self-signed certificate for one run: a client that trusts PEM accepts this
// server as Discord.
type Certificate struct {
	PEM  []byte // without the key
	pair tls.Certificate
}

// NewCertificate makes one that is valid from now on.
func NewCertificate(now time.Time) (*Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("simulated discord: make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, fmt.Errorf("simulated discord: make a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "simulated Discord"},
		// an hour: a clock may be behind
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true,
		DNSNames: certificateNames, IPAddresses: certificateAddresses,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("simulated discord: make a certificate: %w", err)
	}
	return &Certificate{
		PEM:  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pair: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
	}, nil
}

// config returns a configuration for HTTP/1.1 alone, which websockets need.
func (c *Certificate) config() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{c.pair}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}
}
