package value

import (
	"math"
	"math/big"
)

// Go's math.Pow and math.Log are off by an ulp now and then; the C library that Python
// uses nearly never is. Both are corrected here with more digits.

const precision = 160

func extended(x float64) *big.Float { return new(big.Float).SetPrec(precision).SetFloat64(x) }

// bigLn is the natural logarithm of a positive finite number.
func bigLn(x float64) *big.Float {
	frac, exp := math.Frexp(x)
	if frac < math.Sqrt2/2 {
		frac *= 2
		exp--
	}
	sum := atanhSeries(extended(frac))
	ln2 := new(big.Float).Neg(atanhSeries(extended(0.5)))
	return sum.Add(sum, ln2.Mul(ln2, extended(float64(exp))))
}

// atanhSeries is ln(f) for f near 1, as 2·atanh((f-1)/(f+1)).
func atanhSeries(f *big.Float) *big.Float {
	one := extended(1)
	z := new(big.Float).SetPrec(precision).Quo(new(big.Float).Sub(f, one), new(big.Float).Add(f, one))
	square := new(big.Float).Mul(z, z)
	sum, term := extended(0), new(big.Float).Set(z)
	for n := 1; n < 400; n += 2 {
		part := new(big.Float).Quo(term, extended(float64(n)))
		sum.Add(sum, part)
		if part.Sign() == 0 || part.MantExp(nil) < -precision {
			break
		}
		term.Mul(term, square)
	}
	return sum.Mul(sum, extended(2))
}

// Ln is math.Log, correctly rounded.
func Ln(x float64) float64 {
	if !(x > 0) || math.IsInf(x, 0) || x == 1 {
		return math.Log(x)
	}
	f, _ := bigLn(x).Float64()
	return f
}

// Log10 is math.Log10, correctly rounded.
func Log10(x float64) float64 {
	if !(x > 0) || math.IsInf(x, 0) {
		return math.Log10(x)
	}
	r := bigLn(x)
	f, _ := r.Quo(r, bigLn(10)).Float64()
	return f
}

// PowFloat is math.Pow, correctly rounded.
func PowFloat(x, y float64) float64 {
	if x < 0 && y == math.Trunc(y) {
		r := PowFloat(-x, y)
		if math.Mod(y, 2) != 0 {
			return -r
		}
		return r
	}
	r := math.Pow(x, y)
	if !(x > 0) || math.IsNaN(r) || math.IsInf(r, 0) || r == 0 || x == 1 {
		return r
	}
	// r is off by a factor of e^d, which is 1 + d for so small a d.
	d := bigLn(x)
	d.Mul(d, extended(y)).Sub(d, bigLn(r))
	exact, _ := d.Add(d, extended(1)).Mul(d, extended(r)).Float64()
	return exact
}
