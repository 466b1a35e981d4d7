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

// Read reads JSON from a small file of the state folder into v. It returns false, with v as it was,
// where there is no file.
func (w *World) Read(name string, v any) (found bool, err error) {
	data, err := w.Load(name)
	if err != nil || data == nil {
		return false, err
	}
	return true, json.Unmarshal(data, v)
}
