package ansible

import (
	"crypto/rand"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"fettle/engine/value"
)

// source gives random bits as Python's random.Random does.
type source interface {
	// bits returns k random bits, k ≤ 63.
	bits(k int) uint64
	// float returns a number in [0, 1).
}

// system is SystemRandom.
type system struct{}

func (system) bits(k int) uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:]) >> (64 - k)
}

const (
	twisterSize  = 624
	twisterShift = 397
)

// twister is the Mersenne Twister MT19937 with Python's seeding.
type twister struct {
	state [twisterSize]uint32
	at    int
}

func (t *twister) seedWord(s uint32) {
	t.state[0] = s
	for i := uint32(1); i < twisterSize; i++ {
		prev := t.state[i-1]
		t.state[i] = 1812433253*(prev^prev>>30) + i
	}
	t.at = twisterSize
}

func (t *twister) seedArray(key []uint32) {
	t.seedWord(19650218)
	i, j := 1, 0
	step := func(mul, add uint32) {
		prev := t.state[i-1]
		t.state[i] = (t.state[i] ^ (prev^prev>>30)*mul) + add
		if i++; i >= twisterSize {
			t.state[0] = t.state[twisterSize-1]
			i = 1
		}
	}
	for range max(twisterSize, len(key)) {
		step(1664525, key[j]+uint32(j))
		if j++; j >= len(key) {
			j = 0
		}
	}
	for range twisterSize - 1 {
		step(1566083941, -uint32(i))
	}
	t.state[0] = 0x80000000
}

func (t *twister) word() uint32 {
	if t.at >= twisterSize {
		t.refill()
	}
	y := t.state[t.at]
	t.at++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

func (t *twister) refill() {
	for k := range t.state {
		y := t.state[k]&0x80000000 | t.state[(k+1)%twisterSize]&0x7fffffff
		v := t.state[(k+twisterShift)%twisterSize] ^ y>>1
		if y&1 != 0 {
			v ^= 0x9908b0df
		}
		t.state[k] = v
	}
	t.at = 0
}

func (t *twister) bits(k int) uint64 {
	if k <= 32 {
		return uint64(t.word() >> (32 - k))
	}
	low := uint64(t.word())
	return low | uint64(t.word()>>(64-k))<<32
}

// newRandom seeds a source with a value as random.Random(seed) does; None is the system's.
func newRandom(seed value.Value) (source, error) {
	n := new(big.Int)
	switch x := seed.(type) {
	case nil:
		return system{}, nil
	case bool, int64, *big.Int:
		n.Abs(value.Big(x))
	case float64:
		n.SetUint64(floatHash(x))
	case string, value.Text, value.Markup, []byte:
		raw := []byte(text(x))
		if b, ok := x.([]byte); ok {
			raw = b
		}
		sum := sha512.Sum512(raw)
		n.SetBytes(append(raw[:len(raw):len(raw)], sum[:]...))
	default:
		return nil, fmt.Errorf("the only supported seed types are: None, int, float, str, bytes, and bytearray, not %s", value.TypeName(seed))
	}
	t := &twister{}
	t.seedArray(words(n))
	return t, nil
}

// words are the 32-bit words of n, lowest first.
func words(n *big.Int) []uint32 {
	raw := n.Bytes()
	out := make([]uint32, max((len(raw)+3)/4, 1))
	for i, b := range raw {
		place := len(raw) - 1 - i
		out[place/4] |= uint32(b) << (place % 4 * 8)
	}
	return out
}

// floatHash is Python's hash of a float as an unsigned number.
func floatHash(f float64) uint64 {
	const size, modulus = 61, 1<<61 - 1
	switch {
	case math.IsInf(f, 1):
		return 314159
	case math.IsInf(f, -1):
		minus := int64(-314159)
		return uint64(minus)
	case math.IsNaN(f):
		return 0
	}
	frac, exp := math.Frexp(math.Abs(f))
	var x uint64
	for frac != 0 {
		x = x<<28&modulus | x>>(size-28)
		frac *= 1 << 28
		exp -= 28
		y := uint64(frac)
		frac -= float64(y)
		if x += y; x >= modulus {
			x -= modulus
		}
	}
	e := ((exp % size) + size) % size
	x = x<<e&modulus | x>>(size-e)
	if f < 0 {
		x = -x
		if x == math.MaxUint64 {
			x--
		}
	}
	return x
}

// below is _randbelow: a number in [0, n).
func below(r source, n int64) int64 {
	k := bits.Len64(uint64(n))
	for {
		if v := int64(r.bits(k)); v < n {
			return v
		}
	}
}

// shuffled is random.shuffle on a copy.
func shuffled[T any](r source, vs []T) []T {
	out := append([]T{}, vs...)
	for i := len(out) - 1; i > 0; i-- {
		j := below(r, int64(i)+1)
		out[i], out[j] = out[j], out[i]
	}
	return out
}
