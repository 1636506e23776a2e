package webhookcerts

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	certutil "k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// The keys of the Secret's data. Authorities and their keys are in the same
// order, the oldest first.
const (
	AuthoritiesKey    = "ca.crt"
	authorityKeysKey  = "ca.key"
	certificateKey    = "tls.crt"
	certificateKeyKey = "tls.key"
)

// KeyPair is a certificate with its private key.
type KeyPair struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// State is what the Secret holds.
type State struct {
	// Authorities are all that may be trusted, the oldest first.
	Authorities []KeyPair
	Serving     KeyPair
}

// Decode reads a Secret's data; there may be none of it yet. An error says which
// key cannot be read; secrets are not part of it.
func Decode(data map[string][]byte) (State, error) {
	if len(data[AuthoritiesKey]) == 0 {
		return State{}, nil
	}
	authorities, err := decodePairs(data, AuthoritiesKey, authorityKeysKey)
	if err != nil {
		return State{}, err
	}
	serving, err := decodePairs(data, certificateKey, certificateKeyKey)
	if err != nil {
		return State{}, err
	}
	return State{Authorities: authorities, Serving: serving[0]}, nil
}

func decodePairs(data map[string][]byte, certificates, keys string) ([]KeyPair, error) {
	parsed, err := certutil.ParseCertsPEM(data[certificates])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", certificates, err)
	}
	rest := data[keys]
	pairs := make([]KeyPair, 0, len(parsed))
	for _, certificate := range parsed {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, fmt.Errorf("%s holds fewer keys than %s holds certificates", keys, certificates)
		}
		key, err := keyutil.ParsePrivateKeyPEM(pem.EncodeToMemory(block))
		if err != nil {
			return nil, fmt.Errorf("%s: not a private key", keys)
		}
		signer, ok := key.(crypto.Signer)
		if !ok || !samePublicKey(signer.Public(), certificate.PublicKey) {
			return nil, fmt.Errorf("%s: the key does not belong to the certificate in %s", keys, certificates)
		}
		pairs = append(pairs, KeyPair{Certificate: certificate, Key: signer})
	}
	return pairs, nil
}

func samePublicKey(a, b crypto.PublicKey) bool {
	comparable, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && comparable.Equal(b)
}

// Encode is the opposite of Decode.
func (s State) Encode() (map[string][]byte, error) {
	data := map[string][]byte{AuthoritiesKey: s.Bundle()}
	for _, authority := range s.Authorities {
		key, err := keyutil.MarshalPrivateKeyToPEM(authority.Key)
		if err != nil {
			return nil, errors.New("encoding the key of an authority failed")
		}
		data[authorityKeysKey] = append(data[authorityKeysKey], key...)
	}
	key, err := keyutil.MarshalPrivateKeyToPEM(s.Serving.Key)
	if err != nil {
		return nil, errors.New("encoding the key of the serving certificate failed")
	}
	data[certificateKey], data[certificateKeyKey] = encode(s.Serving.Certificate), key
	return data, nil
}

// Bundle is what API servers have to trust, in PEM.
func (s State) Bundle() []byte {
	var bundle []byte
	for _, authority := range s.Authorities {
		bundle = append(bundle, encode(authority.Certificate)...)
	}
	return bundle
}

// TLS is the serving certificate; nil if there is none.
func (s State) TLS() *tls.Certificate {
	if s.Serving.Certificate == nil {
		return nil
	}
	return &tls.Certificate{
		Certificate: [][]byte{s.Serving.Certificate.Raw}, PrivateKey: s.Serving.Key, Leaf: s.Serving.Certificate,
	}
}

// Bundle reads the authorities of a bundle in PEM; what is none is left out.
func Bundle(data []byte) []*x509.Certificate {
	certificates, err := certutil.ParseCertsPEM(data)
	if err != nil {
		return nil // empty, or nothing that we have written
	}
	return certificates
}

func encode(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certutil.CertificateBlockType, Bytes: certificate.Raw})
}
