package retention

// Records returns which records of runs without data go: all but the newest. They
// tell what went wrong lately, and take no place in the repository.
func Records(runs []Run, keep int) []Run {
	var surplus []Run
	for i, v := range newestFirst(runs) {
		if i >= keep {
			surplus = append(surplus, v.Run)
		}
	}
	return surplus
}
