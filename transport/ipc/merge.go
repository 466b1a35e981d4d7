package ipc

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Ways of merging the answers to a cache operation into one (PROTOCOL A1).
const (
	serializeBoolean = 0 // whether one is true
	serializeArray   = 1 // all in one list, lists flattened
	serializeNumber  = 2 // their sum
	serializeAny     = 3 // the first that is not null
	serializeNumbers = 4 // lists, summed index by index
	serializeMax     = serializeNumbers
)

// Merge makes one result of the answers to a cache operation, as upstream's manager does (PROTOCOL
// A4); mode is Parcel.Serialize. odd lists the results that do not fit the mode and were left out.
// A nil result means undefined.
func Merge(mode int, results [][]byte) (merged []byte, odd []int) {
	switch mode {
	case serializeBoolean:
		for _, r := range results {
			if string(r) == "true" {
				return r, nil
			}
		}
		return []byte("false"), nil
	case serializeArray:
		return flat(results), nil
	case serializeNumber:
		var sum float64
		for i, r := range results {
			var n float64
			if !null(r) && json.Unmarshal(r, &n) != nil {
				odd = append(odd, i)
			}
			sum += n
		}
		return number(nil, sum), odd
	case serializeAny:
		for _, r := range results {
			if !null(r) {
				return r, nil
			}
		}
		return nil, nil
	case serializeNumbers:
		return places(results)
	}
	return appendList(nil, results), nil
}

// appendList writes a list; a nil element is null.
func appendList(to []byte, results [][]byte) []byte {
	to = append(to, '[')
	for i, r := range results {
		if i > 0 {
			to = append(to, ',')
		}
		if r == nil {
			r = []byte("null")
		}
		to = append(to, r...)
	}
	return append(to, ']')
}

// flat makes one list of lists; a value that is not a list is an element.
func flat(results [][]byte) []byte {
	var parts [][]byte
	for _, r := range results {
		if null(r) {
			continue
		}
		if r[0] == '[' {
			if r = bytes.TrimSpace(r[1 : len(r)-1]); len(r) == 0 {
				continue
			}
		}
		parts = append(parts, r)
	}
	return bytes.Join([][]byte{[]byte("["), bytes.Join(parts, []byte(",")), []byte("]")}, nil)
}

// places sums lists index by index; the first sets the length.
func places(results [][]byte) (sums []byte, odd []int) {
	var total []float64
	for i, r := range results {
		var list []float64
		if !null(r) && json.Unmarshal(r, &list) != nil {
			odd = append(odd, i)
			continue
		}
		if len(total) == 0 {
			total = list
			continue
		}
		for at := range min(len(total), len(list)) {
			total[at] += list[at]
		}
	}
	sums = []byte("[")
	for i, n := range total {
		if i > 0 {
			sums = append(sums, ',')
		}
		sums = number(sums, n)
	}
	return append(sums, ']'), odd
}

// number writes a number as JavaScript does: whole ones without a point.
func number(to []byte, n float64) []byte {
	if n == float64(int64(n)) {
		return strconv.AppendInt(to, int64(n), 10)
	}
	return strconv.AppendFloat(to, n, 'g', -1, 64)
}

func null(r []byte) bool { return len(r) == 0 || string(r) == "null" }
