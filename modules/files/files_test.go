package files

import (
	"testing"

	"fettle/modules/moduletest"
)

func TestFixtures(t *testing.T) { moduletest.Run(t, "testdata") }
