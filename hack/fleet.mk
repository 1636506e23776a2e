# The API of the fleet. Included by the Makefile at the top.

.PHONY: bench-fleet
bench-fleet: build bin/kubernetes ## measure reaching a member through the host against direct access; ARGS="--requests 2000"
	FEDCTL_E2E_PROGRAMS=$(CURDIR)/bin go run ./test/bench-fleet $(ARGS)
	go test ./pkg/fleetapi -run '^$$' -bench ListOfAllMembers -benchtime 3x
