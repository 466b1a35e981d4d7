package admin

import (
	_ "embed"
	"net/http"
)

// openAPI describes the routes and their answers; openapi_test.go compares it with both.
//
//go:embed openapi.json
var openAPI []byte

func (s *Server) openapi(w http.ResponseWriter, r *http.Request) {
	send(w, r, "application/json", openAPI, nil)
}
