//go:build !linux

package locals3

import "syscall"

func dieWithParent() *syscall.SysProcAttr { return nil }
