// Package service is the Collector as a service: it keeps tasks, collects their
// batches on a schedule, and keeps the results. An analyst defines a
// measurement, watches it fill and sees its results, and never thinks in shares.
//
// What an analyst may do is the interface [Analyst]; pages and the HTTP API are
// written against it, and a [Service] is one. Package collector/web has the HTTP, package
// collector/resultstore the durable state. This package knows neither: it
// declares the [Store] and the [Leader] that it needs, so that its tests can
// stop it at each commit and lose each answer.
//
// # What is never done twice, and what is never forgotten
//
// A collection is a state machine, and each of its states is on the disk before the
// next step is taken:
//
//	intended → asked → stored → done      (or failed, with the reason)
//
// The intention is stored before the Leader is asked, with the exact query. After a
// crash the same query is asked again, which gives the same collection job: the
// Leader finds a job by its content (DAP Section 4.6.1). The job's URL is stored when it is known, the
// result before the Leader is told that it may forget the job. Two collections of
// one task that overlap cannot be stored, whoever asks for them.
//
// # Which intervals are collected
//
// Of a time-interval task only whole time buckets are collected, and only when they are over and a
// delay for late reports has passed. Each hour and each day means that the intervals end on
// the hour or at midnight, UTC. An interval with too few reports is not asked for: it is
// joined with the next ones, until there are enough. The Leader tells when
// (see [Progress]). With a Leader that does not tell, the interval is asked
// for, and the Leader waits; if it refuses the batch as too small, the interval is joined all the same.
//
// An interval that was collected elsewhere, by the command collect for instance, ends
// as [CollectionFailed] with [ReasonOverlap], and the schedule goes on after it.
package service
