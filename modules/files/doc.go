// Package files holds the modules that look at and change files: file, copy, template's
// runner half, stat, lineinfile, blockinfile, replace, find and their kin.
package files
