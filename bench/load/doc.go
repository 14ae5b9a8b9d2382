// Command load measures the whole system under load on this machine: a real
// Leader and a real Helper, with their databases, and clients that upload as fast
// as they are answered.
//
//	go run ./bench/load --reports 50000 --vdaf histogram:length=100 --clients 8
//
// It makes all reports first, so that the clients' own work is not measured, and
// keeps them in memory. Then it uploads them, and waits until the Leader and the
// Helper have both committed every one. At the end it collects the task, and
// fails if a report is missing.
//
// With --profile DIRECTORY it takes profiles of both servers meanwhile, for go tool
// pprof.
//
//	go run ./bench/load growth --ids 20000000 --waiting 5000000
//
// fills databases first, through the stores' own methods, with report IDs that are
// remembered and with reports that wait, and compares what the servers do on them with
// what they do on empty ones: the same load, in turns; how long they take to start,
// and to collect a batch of many batch buckets; the Leader's memory.
//
// The load runs on the same processors as the servers, and what it takes of
// them is part of the figures, and is stated.
package main
