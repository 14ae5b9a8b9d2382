package page

import (
	"github.com/twofold-dap/twofold/collector/service"
)

// status is where a task stands, in a word and a sentence.
type status struct {
	Tone string // of its mark: "go", "wait" or "stop"
	Word string
	Text string
}

// statusOf tells where a task stands, what matters most first.
func statusOf(t service.Task) status {
	switch {
	case !t.HasToken:
		return status{"wait", "Not approved yet", "Both operators have to approve the task. The Leader's operator then has a token for you."}
	case t.Problem != "":
		return status{"stop", "Needs attention", sentence(t.Problem)}
	case len(t.Active) > 0:
		return status{"go", "Collecting", "A batch is being collected."}
	case t.Next.Waiting == service.WaitingForNothing:
		return status{"stop", "Over", "The task takes no more reports, or its privacy budget is spent."}
	case t.Progress != nil && t.Progress.Ready:
		text := "A batch is ready to be collected."
		if !t.Next.At.IsZero() {
			text = "A batch is ready. It is collected from " + when(t.Next.At) + " UTC on."
		}
		return status{"go", "Ready", text}
	case t.Next.Waiting == service.WaitingForTime && !t.Next.At.IsZero():
		return status{"wait", "Filling", "The next batch is collected from " + when(t.Next.At) + " UTC on."}
	case t.Next.Waiting == service.WaitingForLeader:
		return status{"wait", "Waiting", "The Leader has been asked and has not answered yet."}
	}
	return status{"wait", "Filling", "A batch needs " + plural(t.MinBatchSize, "report") + "."}
}
