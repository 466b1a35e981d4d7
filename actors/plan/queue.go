package plan

import (
	"maps"
	"slices"
)

// queue is who waits, by bucket: a fleet that starts has thousands who wait, and every report asks who is next. The zero queue is empty.
type queue struct {
	wants map[int][]Want // by bucket, none of them empty, in the order they came
	where map[string]int // the bucket of each, by its id
}

// add puts a wish at the end of its bucket, unless one with its id waits already.
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

// remove forgets a wish, if it waits.
func (q *queue) remove(id string) {
	if bucket, waits := q.where[id]; waits {
		q.filter(bucket, func(w Want) bool { return w.ID == id })
	}
}

// drop forgets what the owner waits for.
func (q *queue) drop(owner string) {
	for _, bucket := range q.buckets() {
		q.filter(bucket, func(w Want) bool { return w.Owner == owner })
	}
}

// filter forgets the wishes of a bucket that are meant.
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

// of is who waits in a bucket; buckets are those that somebody waits for, in order; all is everybody.
func (q *queue) of(bucket int) []Want { return q.wants[bucket] }
func (q *queue) buckets() []int       { return slices.Sorted(maps.Keys(q.wants)) }

func (q *queue) all() (all []Want) {
	for _, bucket := range q.buckets() {
		all = append(all, q.wants[bucket]...)
	}
	return all
}
