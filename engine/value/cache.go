package value

import "sync/atomic"

// Cache holds one compiled form; safe for concurrent use, last writer wins.
type Cache struct{ p atomic.Pointer[any] }

// Load returns the cached form or nil.
func (c *Cache) Load() any {
	if p := c.p.Load(); p != nil {
		return *p
	}
	return nil
}

// Store sets the cached form.
func (c *Cache) Store(v any) { c.p.Store(&v) }
