package framework

import "syscall"

// dieWithParent has the kernel end the process with the suite, however that ends.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
