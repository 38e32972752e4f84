// Package extra links the families of the runner's second program.
package extra

import (
	_ "fettle/modules/archives"
	_ "fettle/modules/network"
	_ "fettle/modules/redhat"
)
