package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/discluster/control/messages"
)

// UnauthorizedError reports that REST refused the token (401): nothing but another token helps.
type UnauthorizedError struct{}

// Error is Discordoo's text, which operators know (PROTOCOL A3).
func (*UnauthorizedError) Error() string { return "Invalid token provided" }

// CloseCode is the gateway's for the same thing: authentication failed (PROTOCOL B1).
func (*UnauthorizedError) CloseCode() int { return 4004 }

const (
	restTimeout = 15 * time.Second
	restMax     = 1 << 20 // bytes of an answer that are read
)

// GatewayURL asks the API at base ("https://discord.com") where the gateway is (Discord docs, Get
// Gateway Bot). A refused token is an *UnauthorizedError; any other error may pass by itself.
func GatewayURL(ctx context.Context, base string, token messages.Secret) (string, error) {
	const path = "/api/v10/gateway/bot"
	ctx, cancel := context.WithTimeout(ctx, restTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+path, nil)
	if err != nil {
		return "", fmt.Errorf("get %s: %w", path, err)
	}
	req.Header.Set("Authorization", "Bot "+token.Reveal())
	req.Header.Set("User-Agent", "DiscordBot (https://github.com/discluster/control, 1)") // the form Discord demands
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("get %s: %w", path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, restMax))
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return "", &UnauthorizedError{}
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("get %s: %s: %.200s", path, resp.Status, body)
	case err != nil:
		return "", fmt.Errorf("get %s: %w", path, err)
	}
	var g struct{ URL string }
	if err := json.Unmarshal(body, &g); err != nil || g.URL == "" {
		return "", fmt.Errorf("get %s: %.200q: want an object with a url", path, body)
	}
	return g.URL, nil
}
