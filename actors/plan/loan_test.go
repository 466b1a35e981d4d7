package plan

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

func TestShareOfTheBudget(t *testing.T) {
	b := NewBudget(1000, 600, 40, time.Unix(0, 0))
	for _, c := range []struct {
		shards, all, lent int
		want              messages.BudgetShare
	}{
		{40, 40, 0, messages.BudgetShare{Total: 300, Remaining: 300, Reserve: 20}},
		{10, 40, 0, messages.BudgetShare{Total: 75, Remaining: 75, Reserve: 5, Others: 225}},
		{10, 40, 250, messages.BudgetShare{Total: 50, Remaining: 50, Reserve: 5, Others: 250}},
		{10, 40, 400, messages.BudgetShare{Reserve: 5, Others: 400}},
		{0, 40, 0, messages.BudgetShare{Others: 300}},
		{50, 40, 0, messages.BudgetShare{Total: 300, Remaining: 300, Reserve: 20}}, // of more than there are
		{10, 0, 0, messages.BudgetShare{}},
	} {
		if got := b.Share(c.shards, c.all, c.lent); got != c.want {
			t.Errorf("%+v: %+v", c, got)
		}
	}
	if got := (Budget{}).Share(10, 40, 0); got != (messages.BudgetShare{}) {
		t.Errorf("of a budget that is not known: %+v", got)
	}
	if got := Alone(messages.BudgetShare{}); got.Total != 0 || !got.Allows(messages.CauseCrash, 5, 0) {
		t.Errorf("without a share: %+v", got)
	}
	if got := Alone(messages.BudgetShare{ID: 7}); got.Allows(messages.CauseStart, 1, 0) {
		t.Errorf("a share of nothing: %+v", got)
	}
}

func TestUnmet(t *testing.T) {
	b := NewBudget(1000, 600, 40, time.Unix(0, 0))
	for _, c := range []struct{ others, lent, lentDead, most, dead int }{
		{-1, 0, 0, 500, 480},
		{-1, 200, 190, 300, 290},
		{100, 200, 190, 100, 100},
		{400, 200, 190, 300, 290},
		{0, 0, 0, 0, 0},
		{-1, 600, 500, 0, 0},
	} {
		if most, dead := b.Unmet(c.others, c.lent, c.lentDead); most != c.most || dead != c.dead {
			t.Errorf("%+v: %d, %d", c, most, dead)
		}
	}
}

func TestLoan(t *testing.T) {
	share := func(id int64, remaining, reserve int) messages.BudgetShare {
		return messages.BudgetShare{ID: id, Total: 100, Remaining: remaining, Reserve: reserve}
	}
	var l Loan
	hear := func(left messages.BudgetShare, fresh bool, spent, most, dead int, known bool) {
		t.Helper()
		after, s, k := l.Heard(left, fresh)
		if l = after; s != spent || k != known || l.Most != most || l.MostDead != dead {
			t.Fatalf("%+v: spent %d, %v, %+v; want %d, %v, %d and %d", left, s, k, l, spent, known, most, dead)
		}
	}
	hear(share(0, 0, 0), false, 0, 0, 0, true)     // it has none
	hear(share(5, 40, 10), false, 0, 40, 30, true) // of an earlier MASTER
	l = l.Lend(share(6, 20, 10))
	hear(share(5, 40, 10), false, 0, 40, 30, false) // it has not received it
	hear(share(6, 20, 10), false, 0, 20, 10, true)
	l = l.Lend(share(7, 30, 5))
	if l.Most != 30 || l.MostDead != 25 {
		t.Fatalf("sent, and perhaps received: %+v", l)
	}
	hear(share(6, 12, 10), true, 8, 12, 2, true) // it has not, and was alone
	l = l.Lend(share(8, 30, 5))
	hear(share(8, 25, 5), true, 5, 25, 20, true)
	// it gave back what it did not use: that is not lent again
	hear(share(8, 27, 5), false, 0, 25, 20, true)
	if l.Uncounted != 60 {
		t.Fatalf("%d were spent before it was heard of, want 60", l.Uncounted)
	}
	l.Uncounted = 0
	hear(messages.BudgetShare{}, true, 0, 0, 0, true) // it lost what it had
	if l.Uncounted != 25 {
		t.Fatalf("%d may have been spent of what it lost, want 25", l.Uncounted)
	}
}

// Whatever is lost on the way between MASTER and its machines, all of them together spend no more
// than there is, and crashes leave the reserve.
func TestLoansNeverExceedTheBudget(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		machines, all := 1+r.IntN(4), 8+r.IntN(40)
		total := all + r.IntN(300)
		deadOnly := r.IntN(2) == 0
		b, discord := NewBudget(total, total, all, time.Unix(1, 0)), total
		reserve := b.Reserve
		loans, has := make([]Loan, machines), make([]messages.BudgetShare, machines)
		sent := make([]*messages.BudgetShare, machines) // on its way
		away, fresh := make([]bool, machines), make([]bool, machines)
		id := int64(0)
		lent := func() (most, dead int) {
			for _, l := range loans {
				most, dead = most+l.Most, dead+l.MostDead
			}
			return most, dead
		}
		cause := func() messages.IdentifyCause {
			if deadOnly || r.IntN(3) > 0 {
				return messages.CauseCrash
			}
			return messages.CauseStart
		}
		for range 400 {
			switch i := r.IntN(machines); r.IntN(6) {
			case 0: // MASTER grants
				most, dead := lent()
				if c := cause(); b.AllowsBeside(c, 1, 0, most, dead) {
					b, discord = b.Spend(1), discord-1
				}
			case 1, 2: // a machine spends alone
				if c := cause(); away[i] && has[i].ID > 0 && Alone(has[i]).Allows(c, 1, 0) {
					has[i].Remaining--
					discord--
				}
			case 3: // a heartbeat
				if away[i] {
					break
				}
				after, spent, known := loans[i].Heard(has[i], fresh[i])
				loans[i], b, fresh[i] = after, b.Spend(spent), false
				if most, _ := lent(); known {
					s := b.Share(all/machines, all, most-loans[i].Most)
					id++
					s.ID = id
					loans[i], sent[i] = loans[i].Lend(s), &s
				}
			case 4: // what was sent arrives
				if sent[i] != nil {
					has[i], sent[i] = *sent[i], nil
				}
			case 5: // a link is lost, with what is on its way, or is restored
				if away[i] = !away[i]; away[i] {
					sent[i] = nil
				}
				fresh[i] = true
			}
			if discord < 0 || deadOnly && discord < reserve {
				t.Fatalf("seed %d: %d of %d are left, the reserve is %d", seed, discord, total, reserve)
			}
		}
	}
}
