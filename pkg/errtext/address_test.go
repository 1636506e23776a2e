package errtext

import "testing"

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		"":                                       "",
		"https://10.0.0.1:6443":                  "https://10.0.0.1:6443",
		"10.0.0.1:6443/a":                        "10.0.0.1:6443/a",
		"https://user:hidden@host:1/a?b=hidden":  "https://host:1/a",
		"https://host/#hidden":                   "https://host/",
		"user:hidden@proxy:3128":                 "proxy:3128",
		"https://user:hid@den@host":              "https://host",
		"://user:hidden@host":                    "://host",
		"https://host/?at=user:hidden@elsewhere": "https://elsewhere",
		"https://user:hid?den@host":              "https://host",
	} {
		if got := Address(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
