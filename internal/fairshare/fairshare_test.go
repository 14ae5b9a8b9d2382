package fairshare_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/internal/fairshare"
)

// fill takes parts of n for a key until there are no more, and returns them.
func fill(p *fairshare.Pool[string], key string, n int64) (grants []*fairshare.Grant[string]) {
	for {
		g, ok := p.TryTake(key, n)
		if !ok {
			return grants
		}
		grants = append(grants, g)
	}
}

func TestShares(t *testing.T) {
	p := fairshare.New[string](60, nil)
	a := fill(p, "a", 1)
	if len(a) != 40 {
		t.Errorf("one key alone takes %d of 60", len(a))
	}
	if b := fill(p, "b", 1); len(b) < 10 || len(b) > 20 {
		t.Errorf("the second key takes %d", len(b))
	}
	// Whoever comes with nothing finds room.
	for _, key := range []string{"c", "d", "e"} {
		if _, ok := p.TryTake(key, 1); !ok {
			t.Errorf("there is nothing left for %s", key)
		}
	}
	for _, g := range a {
		g.Release()
		g.Release()
	}
	if used := p.Used(); used > 20 {
		t.Errorf("%d are taken after a has given all back", used)
	}
}

func TestTurnsGiveOneKeyEverything(t *testing.T) {
	p := fairshare.NewTurns[string](5)
	if n := len(fill(p, "a", 1)); n != 5 {
		t.Errorf("it takes %d of 5", n)
	}
}

// A grant of any size is given when nothing is taken, and only then.
func TestLargeGrant(t *testing.T) {
	p := fairshare.New[string](10, nil)
	large, ok := p.TryTake("a", 25)
	if !ok {
		t.Fatal("refused by an empty pool")
	}
	if p.Would("b", 1) {
		t.Error("something is left beside it")
	}
	large.Release()
	small, _ := p.TryTake("b", 1)
	if _, ok := p.TryTake("a", 10); ok {
		t.Error("more than the limit is taken")
	}
	if !small.Grow(9) {
		t.Error("a lone grant cannot have the whole pool")
	}
}

func TestGrow(t *testing.T) {
	p := fairshare.New[string](90, nil)
	first, _ := p.TryTake("a", 30)
	second, _ := p.TryTake("a", 20)
	if second.Grow(31) {
		t.Error("beyond the key's share")
	}
	first.Release()
	if !second.Grow(70) || second.Size() != 90 || p.Used() != 90 {
		t.Error("the key's only grant is held back")
	}
	if second.Grow(1); p.Used() != second.Size() {
		t.Errorf("%d are taken, the only grant has %d", p.Used(), second.Size())
	}
}

// Waiting keys are served in turn, whatever one of them has queued.
func TestWaitingInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := fairshare.NewTurns[string](1)
		held, _ := p.TryTake("x", 1)
		var served []string
		wait := func(key string) {
			go func() {
				g, err := p.Take(t.Context(), key, 1)
				if err != nil {
					t.Error(err)
					return
				}
				served = append(served, key)
				g.Release()
			}()
			synctest.Wait()
		}
		for _, key := range []string{"a", "a", "a", "b", "b", "c"} {
			wait(key)
		}
		held.Release()
		synctest.Wait()
		if want := []string{"a", "b", "c", "a", "b", "a"}; !slices.Equal(served, want) {
			t.Errorf("served %v, want %v", served, want)
		}
	})
}

// Small requests do not pass a large one for ever.
func TestNobodyPassesWhoWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := fairshare.New[string](10, nil)
		a, _ := p.TryTake("a", 2)
		b, _ := p.TryTake("b", 2)
		got := false
		go func() {
			g, err := p.Take(t.Context(), "large", 9)
			got = err == nil
			if got {
				g.Release()
			}
		}()
		synctest.Wait()
		if p.Would("c", 1) {
			t.Error("a newcomer passes it")
		}
		a.Release()
		synctest.Wait()
		if got {
			t.Fatal("granted without room")
		}
		b.Release()
		synctest.Wait()
		if !got || p.Used() != 0 {
			t.Errorf("granted: %t; %d are taken", got, p.Used())
		}
	})
}

func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := fairshare.New[string](10, nil)
		held, _ := p.TryTake("a", 8)
		ctx, cancel := context.WithCancel(t.Context())
		var first error
		second := false
		go func() { _, first = p.Take(ctx, "b", 9) }()
		synctest.Wait()
		go func() {
			_, err := p.Take(t.Context(), "c", 1)
			second = err == nil
		}()
		synctest.Wait()
		if second {
			t.Fatal("passed who waits for room")
		}
		cancel()
		synctest.Wait()
		if !errors.Is(first, context.Canceled) || !second {
			t.Errorf("%v; the one behind was served: %t", first, second)
		}
		held.Release()
		if p.Used() != 1 {
			t.Errorf("%d are taken", p.Used())
		}
	})
}

// Whatever happens, no more than the limit is taken (but by a lone grant), what is counted is what
// the grants have, and in the end nothing is left.
func TestAccounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(1, 50).Draw(t, "limit")
		notified := 0
		p := fairshare.New[int](limit, func() { notified++ })
		var grants []*fairshare.Grant[int]
		for range rapid.IntRange(1, 100).Draw(t, "operations") {
			n := rapid.Int64Range(1, 20).Draw(t, "n")
			switch i := rapid.IntRange(0, max(0, len(grants)-1)).Draw(t, "which"); {
			case len(grants) > 0 && rapid.Bool().Draw(t, "release"):
				grants[i].Release()
				grants = slices.Delete(grants, i, i+1)
			case len(grants) > 0 && rapid.Bool().Draw(t, "grow"):
				grants[i].Grow(n)
			default:
				key := rapid.IntRange(0, 4).Draw(t, "key")
				would := p.Would(key, n)
				g, ok := p.TryTake(key, n)
				if ok != would {
					t.Fatalf("TryTake %t, Would %t", ok, would)
				}
				if ok {
					grants = append(grants, g)
				}
			}
			sum := int64(0)
			for _, g := range grants {
				sum += g.Size()
			}
			if p.Used() != sum || sum > limit && len(grants) > 1 {
				t.Fatalf("%d are taken, the %d grants have %d of %d", p.Used(), len(grants), sum, limit)
			}
		}
		count := len(grants) + notified
		for _, g := range grants {
			g.Release()
		}
		if p.Used() != 0 || notified != count {
			t.Fatalf("%d are left; %d of %d releases were told", p.Used(), notified, count)
		}
	})
}
