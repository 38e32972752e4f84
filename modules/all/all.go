// Package all links every module family into a program.
package all

import (
	_ "fettle/modules/control"
)
