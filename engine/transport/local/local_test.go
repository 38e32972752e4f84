package local

import (
	"testing"

	"fettle/engine/transport"
	"fettle/engine/transport/transporttest"
)

func TestContract(t *testing.T) {
	transporttest.Run(t, func(*testing.T) transporttest.Subject {
		return transporttest.Subject{Dialer: Dialer{}, Target: &transport.Target{Name: "localhost", Connection: "local"}}
	})
}
