// A security key in software, for OpenSSH's SecurityKeyProvider: the "handle" of a key is its
// seed. Built with -buildmode=c-shared by the test of package openssh.
package main

/*
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct enrolled {
	uint8_t flags;
	uint8_t *public_key;
	size_t public_key_len;
	uint8_t *key_handle;
	size_t key_handle_len;
	uint8_t *signature;
	size_t signature_len;
	uint8_t *attestation_cert;
	size_t attestation_cert_len;
	uint8_t *authdata;
	size_t authdata_len;
};
struct signature {
	uint8_t flags;
	uint32_t counter;
	uint8_t *sig_r;
	size_t sig_r_len;
	uint8_t *sig_s;
	size_t sig_s_len;
};
*/
import "C"

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"unsafe"
)

const (
	algEd25519  = 1
	unsupported = -2
	counter     = 1
)

//export sk_api_version
func sk_api_version() C.uint32_t { return 0x000a0000 }

//export sk_enroll
func sk_enroll(alg C.uint32_t, challenge *C.uint8_t, n C.size_t, application *C.char, flags C.uint8_t, pin *C.char, options unsafe.Pointer, resp **C.struct_enrolled) C.int {
	if alg != algEd25519 {
		return unsupported
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return -1
	}
	r := (*C.struct_enrolled)(C.calloc(1, C.sizeof_struct_enrolled))
	r.flags = flags
	r.public_key, r.public_key_len = lend(public)
	r.key_handle, r.key_handle_len = lend(private.Seed())
	r.signature, r.signature_len = lend(make([]byte, 64))
	*resp = r
	return 0
}

//export sk_sign
func sk_sign(alg C.uint32_t, data *C.uint8_t, n C.size_t, application *C.char, handle *C.uint8_t, handleLen C.size_t, flags C.uint8_t, pin *C.char, options unsafe.Pointer, resp **C.struct_signature) C.int {
	if alg != algEd25519 || handleLen != ed25519.SeedSize {
		return unsupported
	}
	app := sha256.Sum256([]byte(C.GoString(application)))
	message := sha256.Sum256(C.GoBytes(unsafe.Pointer(data), C.int(n)))
	signed := append(app[:], byte(flags))
	signed = binary.BigEndian.AppendUint32(signed, counter)
	signed = append(signed, message[:]...)
	key := ed25519.NewKeyFromSeed(C.GoBytes(unsafe.Pointer(handle), C.int(handleLen)))
	r := (*C.struct_signature)(C.calloc(1, C.sizeof_struct_signature))
	r.flags, r.counter = flags, counter
	r.sig_r, r.sig_r_len = lend(ed25519.Sign(key, signed))
	*resp = r
	return 0
}

//export sk_load_resident_keys
func sk_load_resident_keys(pin *C.char, options, keys unsafe.Pointer, n *C.size_t) C.int {
	return unsupported
}

// lend copies to memory that the caller frees.
func lend(b []byte) (*C.uint8_t, C.size_t) {
	return (*C.uint8_t)(C.CBytes(b)), C.size_t(len(b))
}

func main() {}
