//go:build !core

package all

import _ "fettle/modules/all/extra"
