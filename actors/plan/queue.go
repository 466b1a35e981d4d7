package plan

import (
	"maps"
	"slices"
)

// queue holds the waiting requests by bucket: a fleet that starts has thousands, and every report
// looks for the next. The zero queue is empty.
type queue struct {
	wants map[int][]Want // by bucket, none of them empty, in the order they came
	where map[string]int // the bucket of each, by its id
}

// add puts a request at the end of its bucket, unless one with its id waits already.
func (q *queue) add(bucket int, w Want) {
	if _, waits := q.where[w.ID]; waits {
		return
	}
	if q.wants == nil {
		q.wants, q.where = map[int][]Want{}, map[string]int{}
	}
	q.wants[bucket] = append(q.wants[bucket], w)
	q.where[w.ID] = bucket
}

// remove removes a request, if it waits.
func (q *queue) remove(id string) {
	if bucket, waits := q.where[id]; waits {
		q.filter(bucket, func(w Want) bool { return w.ID == id })
	}
}

// drop removes the owner's requests.
func (q *queue) drop(owner string) {
	for _, bucket := range q.buckets() {
		q.filter(bucket, func(w Want) bool { return w.Owner == owner })
	}
}

// filter removes the requests of a bucket that match.
func (q *queue) filter(bucket int, meant func(Want) bool) {
	left := slices.DeleteFunc(q.wants[bucket], func(w Want) bool {
		gone := meant(w)
		if gone {
			delete(q.where, w.ID)
		}
		return gone
	})
	if q.wants[bucket] = left; len(left) == 0 {
		delete(q.wants, bucket)
	}
}

// of returns the requests of a bucket; buckets returns the buckets that have some, in order; all
// returns every request.
func (q *queue) of(bucket int) []Want { return q.wants[bucket] }
func (q *queue) buckets() []int       { return slices.Sorted(maps.Keys(q.wants)) }

func (q *queue) all() (all []Want) {
	for _, bucket := range q.buckets() {
		all = append(all, q.wants[bucket]...)
	}
	return all
}
