package world

import "encoding/json"

// Encode returns v as JSON; it panics on a value that has none.
func Encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}
