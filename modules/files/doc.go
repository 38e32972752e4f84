// Package files holds the modules that look at and change files: file, copy, template's
// runner half, stat, lineinfile, blockinfile, replace, find, unarchive and their kin.
package files
