package system

import "testing"

func TestSEBoolean(t *testing.T) {
	if !boolOn("httpd_x --> on\n") || boolOn("httpd_x --> off\n") {
		t.Error("getsebool")
	}
	list := "httpd_x                        (on   ,   off)  Allow it\nother (off , on)\n"
	if storedBool(list, "httpd_x", true) || !storedBool(list, "other", false) || !storedBool(list, "none", true) {
		t.Error("semanage")
	}
}
