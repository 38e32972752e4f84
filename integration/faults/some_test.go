//go:build !integration

package faults_test

// step and killStep: a sample. The tag integration goes through all.
const step, killStep = 9, 23
