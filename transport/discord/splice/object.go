package splice

import "slices"

// Object is an object taken apart: its fields in order. Values are shared with what they were read
// from and are replaced, never written to.
type Object []Field

// Field is one of them.
type Field struct {
	Key   string
	Value []byte
}

// Parse takes an object apart.
func Parse(raw []byte) Object {
	var o Object
	for k, v := range Fields(raw) {
		o = append(o, Field{string(k), v})
	}
	return o
}

// Get returns the value of a key, nil where there is none.
func (o Object) Get(key string) []byte {
	for _, f := range o {
		if f.Key == key {
			return f.Value
		}
	}
	return nil
}

// Set replaces the value of a key, or adds the key.
func (o *Object) Set(key string, value []byte) {
	for i := range *o {
		if (*o)[i].Key == key {
			(*o)[i].Value = value
			return
		}
	}
	*o = append(*o, Field{key, value})
}

// Delete removes a key.
func (o *Object) Delete(key string) {
	*o = slices.DeleteFunc(*o, func(f Field) bool { return f.Key == key })
}

// Append appends the object's text to b.
func (o Object) Append(b []byte) []byte {
	b = append(b, '{')
	for i, f := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, f.Key...)
		b = append(b, '"', ':')
		b = append(b, f.Value...)
	}
	return append(b, '}')
}

// Merge returns raw with every field of patch, except the named ones, in place of its own. Neither
// is changed.
func Merge(raw, patch []byte, except ...string) []byte {
	o := Parse(raw)
	for k, v := range Fields(patch) {
		if !slices.Contains(except, string(k)) {
			o.Set(string(k), v)
		}
	}
	return o.Append(make([]byte, 0, len(raw)+len(patch)))
}

// With returns raw with one field set.
func With(raw []byte, key string, value []byte) []byte {
	o := Parse(raw)
	o.Set(key, value)
	return o.Append(make([]byte, 0, len(raw)+len(key)+len(value)+4))
}

// Without returns raw without the keys.
func Without(raw []byte, keys ...string) []byte {
	o := Parse(raw)
	for _, key := range keys {
		o.Delete(key)
	}
	return o.Append(make([]byte, 0, len(raw)))
}
