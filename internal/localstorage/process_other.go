//go:build !linux

package localstorage

import "syscall"

func dieWithParent() *syscall.SysProcAttr { return nil }
