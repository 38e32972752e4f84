package packages

import "testing"

func TestSplitRequirement(t *testing.T) {
	for in, want := range map[string][3]string{
		"Flask":         {"flask", "", ""},
		"my_pkg.x==1.2": {"my-pkg-x", "==", "1.2"},
		"a[b,c] >= 2":   {"a", ">=", "2"},
		"requests~=2.0": {"requests", "~=", "2.0"},
	} {
		if n, o, v := splitRequirement(in); [3]string{n, o, v} != want {
			t.Errorf("%s: got %q %q %q", in, n, o, v)
		}
	}
	if f := frozen("A_b==1\n-e git+x\nc @ file:///x\n"); f["a-b"] != "1" || len(f) != 1 {
		t.Errorf("frozen: %v", f)
	}
}
