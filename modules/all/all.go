// Package all links every module family into a program.
package all

import (
	_ "fettle/modules/commands"
	_ "fettle/modules/control"
	_ "fettle/modules/facts"
	_ "fettle/modules/files"
	_ "fettle/modules/network"
	_ "fettle/modules/packages"
	_ "fettle/modules/services"
	_ "fettle/modules/system"
	_ "fettle/modules/users"
)
