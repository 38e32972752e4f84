// Package archives holds the modules that pack and unpack: archive and unarchive.
package archives
