// Package extra links the families of the runner's second program.
package extra

import (
	_ "fettle/modules/access"
	_ "fettle/modules/applications"
	_ "fettle/modules/archives"
	_ "fettle/modules/network"
	_ "fettle/modules/redhat"
)
