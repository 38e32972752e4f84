package value

import (
	"math/big"
	"sync/atomic"
)

// Plain tells that v is data through and through: texts, numbers, booleans, None, and lists and
// dicts of such. There is nothing in it to render, to decrypt, to mask or to complain about, so
// it may be used as it stands. The answer is kept in the container, which must not change any
// more: only what comes out of a Scope is asked.
func Plain(v Value) bool { return plain(v, 0) }

// Frozen tells that Plain was asked about v, or about something it lies in, and said yes.
func Frozen(v Value) bool {
	switch x := v.(type) {
	case *List:
		return x != nil && atomic.LoadUint32(&x.plain) == isPlain
	case *Dict:
		return x != nil && atomic.LoadUint32(&x.plain) == isPlain
	}
	return false
}

// maxPlainDepth bounds the search; what is nested deeper, or holds itself, is not called plain.
const maxPlainDepth = 100

const (
	unknownPlain uint32 = iota
	isPlain
	notPlain
)

func plain(v Value, depth int) bool {
	switch x := v.(type) {
	case string, int64, bool, nil, float64, *big.Int:
		return true
	case *List:
		return x != nil && x.Lazy == nil && x.isPlain(depth)
	case *Dict:
		return x != nil && x.Lazy == nil && x.isPlain(depth)
	}
	return false
}

func (l *List) isPlain(depth int) bool {
	if known := atomic.LoadUint32(&l.plain); known != unknownPlain {
		return known == isPlain
	}
	ok := depth < maxPlainDepth
	for i := 0; ok && i < len(l.V); i++ {
		ok = plain(l.V[i], depth+1)
	}
	remember(&l.plain, ok, depth)
	return ok
}

func (d *Dict) isPlain(depth int) bool {
	if known := atomic.LoadUint32(&d.plain); known != unknownPlain {
		return known == isPlain
	}
	ok := depth < maxPlainDepth
	for i := 0; ok && i < len(d.entries); i++ {
		ok = plain(d.entries[i].Key, maxPlainDepth) && plain(d.entries[i].Value, depth+1)
	}
	remember(&d.plain, ok, depth)
	return ok
}

// remember keeps an answer. That something is not plain may be due to the depth it was reached
// at, so it is kept only where the search began.
func remember(state *uint32, ok bool, depth int) {
	switch {
	case ok:
		atomic.StoreUint32(state, isPlain)
	case depth == 0:
		atomic.StoreUint32(state, notPlain)
	}
}
