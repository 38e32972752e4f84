// Package all links the module families into a program.
//
// fettle links all of them. A runner comes in two programs, so that hosts get little: the
// one that is always placed (built with the tag core), and fettle-extra with what needs
// HTTP, TLS or archive formats.
package all

import (
	_ "fettle/modules/commands"
	_ "fettle/modules/control"
	_ "fettle/modules/facts"
	_ "fettle/modules/files"
	_ "fettle/modules/packages"
	_ "fettle/modules/services"
	_ "fettle/modules/system"
	_ "fettle/modules/users"
)
