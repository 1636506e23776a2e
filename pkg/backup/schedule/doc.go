// Package schedule says when the runs of a Backup are due.
//
// A schedule is an expression in cron syntax and a time zone. Its times ("ticks")
// are found on the clock on the wall, and then brought to real time by rules that
// daylight saving does not break:
//
//   - A fixed time (an hour field without "*") that does not exist on a day, because
//     the clock goes forward over it, runs once, as much later as the clock has
//     gone forward. One that exists twice, because the clock goes back, runs once,
//     the first time.
//   - An interval (an hour field with "*", such as "0 * * * *" or "0 */6 * * *")
//     runs at every reading of the clock that it names, also at the second one when
//     the clock goes back, and makes up for one that the clock goes over like a
//     fixed time: the distance of two runs does not grow when the clock is changed.
//     (Where the clock is changed by half an hour, and the schedule names whole
//     hours, it cannot be kept: one run in the year is half an hour late.)
//   - "@every 90m" counts in real time from the beginning of 1970, so that its times
//     depend on nothing that could be lost.
//
// [Decide] is the rule of what to run, given what has been run; [Offset] spreads
// the same schedule over many clusters.
//
// The package is pure: it computes from its arguments, and neither reads a clock
// nor makes requests. It imports the cron parser and nothing else of note. The
// database of time zones is built in, because images of controllers often have none.
package schedule
