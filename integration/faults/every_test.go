//go:build integration

package faults_test

// step and killStep: the link is cut at every frame, and the runner killed at every third.
const step, killStep = 1, 3
