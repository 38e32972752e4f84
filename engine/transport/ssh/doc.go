// Package ssh connects to hosts with the SSH protocol, in this process: it reads the same
// configuration, keys and known hosts as the ssh program, and asks nothing. What only the
// ssh program can do is refused by name.
package ssh
