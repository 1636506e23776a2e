package webhookcerts

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"
)

// skew is how far certificates are dated back: clocks of API servers differ.
const skew = 5 * time.Minute

func newAuthority(now time.Time, validity time.Duration) (KeyPair, error) {
	template, err := newTemplate(now, now.Add(validity), "fedctl webhook CA")
	if err != nil {
		return KeyPair{}, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	return sign(template, nil)
}

func newServing(authority KeyPair, now time.Time, o Options) (KeyPair, error) {
	end := now.Add(o.Validity)
	if last := authority.Certificate.NotAfter; last.Before(end) {
		end = last // it could not be verified any longer
	}
	template, err := newTemplate(now, end, o.Hosts[0])
	if err != nil {
		return KeyPair{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range o.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return sign(template, &authority)
}

func newTemplate(now, end time.Time, name string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("serial number of a certificate: %w", err)
	}
	if len(name) > 64 {
		name = name[:64] // the limit of a common name; nothing verifies it
	}
	return &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)),
		// Authorities that follow each other have the same role but must not have
		// the same name: verifiers look them up by it.
		Subject:   pkix.Name{CommonName: name, SerialNumber: serial.Text(16)},
		NotBefore: now.Add(-skew), NotAfter: end,
	}, nil
}

// sign makes a key and a certificate for it; without an authority the key signs its own.
func sign(template *x509.Certificate, authority *KeyPair) (KeyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return KeyPair{}, fmt.Errorf("making a key: %w", err)
	}
	parent, signer := template, crypto.Signer(key)
	if authority != nil {
		parent, signer = authority.Certificate, authority.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return KeyPair{}, fmt.Errorf("signing a certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return KeyPair{}, fmt.Errorf("reading a certificate just made: %w", err)
	}
	return KeyPair{Certificate: certificate, Key: key}, nil
}
