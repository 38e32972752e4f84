package ansible

import (
	"testing"

	"fettle/engine/template"
	"fettle/engine/value"
)

// TestSetOrder has the orders that CPython 3.13 gives sets of numbers, as Ansible's filters show.
func TestSetOrder(t *testing.T) {
	for _, c := range []struct{ expr, want string }{
		{"[1]|union([3,2])", "[1, 2, 3]"},
		{"[3,1,2]|union([10,9,8])", "[1, 2, 3, 8, 9, 10]"},
		{"[3,1,2]|difference([1])", "[2, 3]"},
		{"[9,8,7,6,5]|difference([7])", "[8, 9, 5, 6]"},
		{"[16,8,24,32]|union([40,48])", "[16, 32, 48, 8, 24, 40]"},
		{"[16,8,24,32]|intersect([32,8])", "[32, 8]"},
		{"[16,8,24,32]|symmetric_difference([8,40,17])", "[32, 40, 16, 17, 24]"},
		{"[-1,-2,5]|union([-5])", "[-5, 5, -1, -2]"},
		{"[1.5,2.5,3]|union([0.1])", "[0.1, 1.5, 2.5, 3]"},
		{"[1e100, 1e22]|union([3])", "[1e+22, 1e+100, 3]"},
		{"[1]|intersect([true])", "[True]"},
		{"[none, 0, '']|union([5])", "[None, 0, 5, '']"},
		{"(range(30)|list)|union([200,300])|last", "200"},
		{"[9223372036854775807, 3, 100]|union([2305843009213693951, 2305843009213693952])", "[2305843009213693951, 2305843009213693952, 3, 9223372036854775807, 100]"},
		{"['b', 'a']|union(['c', 'a'])", "['b', 'a', 'c']"},
		{"[{'a': 1}]|union([{'a': 1}, 2])", "[{'a': 1}, 2]"},
		{"[]|difference(1.5)", "[]"},
	} {
		ctx := template.New(template.Options{}).NewContext(t.Context(), nil)
		v, err := ctx.Eval(&value.Template{Src: c.expr})
		if err != nil || value.Repr(v) != c.want {
			t.Errorf("%s: %s, %v, want %s", c.expr, value.Repr(v), err, c.want)
		}
	}
}
