package plan

import (
	"fmt"
	"testing"

	"github.com/discluster/control/messages"
)

func TestUnserved(t *testing.T) {
	r := func(first, last int) messages.ShardRange { return messages.ShardRange{First: first, Last: last} }
	for _, c := range []struct {
		name   string
		count  int
		served []messages.ShardRange
		want   string
	}{
		{"nothing is served", 10, nil, "[0-9]"},
		{"everything is", 10, []messages.ShardRange{r(0, 9)}, "[]"},
		{"a hole in the middle", 30, []messages.ShardRange{r(20, 29), r(0, 9)}, "[10-19]"},
		{"both ends", 30, []messages.ShardRange{r(10, 19)}, "[0-9 20-29]"},
		{"served twice, and beyond the count", 20, []messages.ShardRange{r(5, 12), r(5, 7), r(15, 40)}, "[0-4 13-14]"},
	} {
		if got := fmt.Sprint(Unserved(c.count, c.served)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestPlace(t *testing.T) {
	r := func(first, last int) messages.ShardRange { return messages.ShardRange{First: first, Last: last} }
	for _, c := range []struct {
		name          string
		free          []messages.ShardRange
		per, machines int
		want          string
	}{
		{"evenly", []messages.ShardRange{r(0, 39)}, 10, 2, "[[0-19] [20-39]]"},
		{"the last cluster is short", []messages.ShardRange{r(0, 24)}, 10, 3, "[[0-9] [10-19] [20-24]]"},
		{"more machines than clusters", []messages.ShardRange{r(0, 9)}, 10, 3, "[[] [] [0-9]]"},
		{"in pieces", []messages.ShardRange{r(0, 9), r(30, 49)}, 10, 2, "[[0-9] [30-49]]"},
		{"one takes two pieces", []messages.ShardRange{r(0, 9), r(30, 49)}, 10, 1, "[[0-9 30-49]]"},
		{"nothing is free", nil, 10, 2, "[[] []]"},
	} {
		if got := fmt.Sprint(Place(c.free, c.per, c.machines)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
