// Command chaos runs a real Leader and a real Helper, as processes, in a network
// that fails all the time, and kills and stops them, while clients upload, tasks
// begin and end, and Collectors collect.
//
//	go run ./conformance/chaos --minutes 20 --seed 1
//
// Every report's measurement says which report it is, so that one that is lost or
// counted twice shows. At the end the faults stop, and everything must come to an
// end by itself: each report that the Leader has accepted is counted once, one that
// got no answer at most once, one that was refused or spoiled never. Both
// aggregators must agree on the numbers, and their databases must be whole.
//
// The seed decides what is done, and about when. What it hits depends on the
// machine too, so that another run with the same seed is alike and not the same.
package main
