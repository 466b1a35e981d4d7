package world

import "encoding/json"

// Encode returns v as JSON, where v is a value of our own that always has one.
func Encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}
