package cli

import (
	"sync"
	"time"

	"fettle/engine/diag"
	"fettle/engine/value"
	"fettle/engine/vars/factcache"
)

// openFactCache opens what fact_caching says; without it facts are gathered anew and it is nil.
func (ss *session) openFactCache() *factcache.Files {
	c := ss.cfg
	cache, err := factcache.Open(factcache.Options{Plugin: c.String("CACHE_PLUGIN"), Folder: expandHome(c.String("CACHE_PLUGIN_CONNECTION")),
		Prefix: cachePrefix(c.String("CACHE_PLUGIN_PREFIX"), c.IsSet("CACHE_PLUGIN_PREFIX")), Timeout: time.Duration(c.Int("CACHE_PLUGIN_TIMEOUT")) * time.Second})
	if err != nil {
		ss.diags.Add(diag.Warnf(diag.Pos{}, "config", "%v; facts are not kept", err))
		return nil
	}
	return cache
}

// cachedFacts are the facts of earlier runs, which constructed inventories read.
func (ss *session) cachedFacts(cache *factcache.Files) func(host string) *value.Dict {
	if cache == nil {
		return nil
	}
	return func(host string) *value.Dict {
		facts, err := cache.Get(host)
		if err != nil {
			ss.diags.Add(diag.Warnf(diag.Pos{}, "cache", "%v", err))
		}
		return facts
	}
}

// keepFacts lets the run read and write the cache.
func (ss *session) keepFacts(cache *factcache.Files) {
	if cache == nil {
		return
	}
	ss.store.Cache = cache
	var seen sync.Map
	ss.store.Warn = func(err error) {
		if _, again := seen.LoadOrStore(err.Error(), true); !again {
			ss.warn(diag.Warnf(diag.Pos{}, "cache", "%v", err))
		}
	}
}

// cachePrefix: the setting has a default, which ansible-core does not give to its plugins of files.
func cachePrefix(prefix string, set bool) string {
	if !set {
		return ""
	}
	return prefix
}

// flushFacts forgets what earlier runs kept (--flush-cache).
func (ss *session) flushFacts() {
	for _, h := range append(ss.inv.Hosts(), ss.inv.Host("localhost")) {
		if h != nil {
			ss.store.ForgetFacts(ss.store.Host(h))
		}
	}
}
