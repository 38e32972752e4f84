// Package templates compares fettle's templates with the real thing: random templates with
// Ansible (TestAgainstAnsible), speed with Python's Jinja2 (TestSpeed). It needs the build tag
// integration and a Python that has them; what is missing is skipped with a reason.
//
//	go test -tags integration ./integration/templates -oracle /srv/trixie -duration 10m
package templates
