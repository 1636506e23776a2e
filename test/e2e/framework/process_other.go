//go:build !linux

package framework

import "syscall"

func dieWithParent() *syscall.SysProcAttr { return nil }
