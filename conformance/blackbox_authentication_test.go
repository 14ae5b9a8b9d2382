package conformance

import (
	"net/http"
	"testing"

	"github.com/twofold-dap/twofold/api"
)

// protectedRequests are all requests that must be authenticated (DAP Section
// 3.5), each as it would succeed, with the name of what it is about.
func protectedRequests(task *wireTask) map[string]wireRequest {
	task.t().Helper()
	reports := task.reports(2, 1, 0)
	job := task.createAggregationJob(task.lead(nil, reports...).initReq())
	job.wantOK()
	shareReq := wireShareReq{
		collectionReq: task.collectionReq(task.interval(0, 1)), selector: task.interval(0, 1), count: 2, checksum: checksumOf(reports...),
	}.encode()
	collectionReq := task.collectionReq(task.interval(500, 1))
	collection := task.createCollectionJob(collectionReq)
	collection.wantOK()
	id := "lc7aUeGpdSNosNlh-UZhKA"
	return map[string]wireRequest{
		"aggregation job, create":   {method: "POST", url: task.helperPath("aggregation_jobs"), message: "aggregation-job-init-req", body: task.lead(nil, task.reports(2, 1, 5)...).initReq()},
		"aggregation job, continue": {method: "POST", url: job.location(), message: "aggregation-job-continue-req", body: wireContinueReq(1, wireContinue{reports[0].id, []byte{0}})},
		"aggregation job, poll":     {method: "GET", url: job.location() + "?step=0"},
		"aggregation job, delete":   {method: "DELETE", url: job.location()},
		"aggregate share, create":   {method: "POST", url: task.helperPath("aggregate_shares"), message: "aggregate-share-req", body: shareReq},
		"aggregate share, poll":     {method: "GET", url: task.helperPath("aggregate_shares/" + id)},
		"aggregate share, delete":   {method: "DELETE", url: task.helperPath("aggregate_shares/" + id)},
		"collection job, create":    {method: "POST", url: task.leaderPath("collection_jobs"), message: "collection-job-req", body: task.collectionReq(task.interval(600, 1))},
		"collection job, poll":      {method: "GET", url: collection.location()},
		"collection job, delete":    {method: "DELETE", url: collection.location()},
	}
}

// TestAuthentication makes every request that must be authenticated without a
// token, and with ones that do not count. Nothing happens. Then it makes each
// with the right one.
func TestAuthentication(t *testing.T) {
	s := newSystem(t, systemOptions{})
	task := s.newTask(taskOptions{})
	for name, request := range protectedRequests(task) {
		s.run(t, name, func(t *testing.T) {
			right, other := task.tokenFor(request.url), leaderToken
			if right == leaderToken {
				other = collectorToken
			}
			task.unchanged(func() {
				for what, header := range map[string][]string{
					"none":               nil,
					"empty":              {""},
					"no token":           {"Bearer "},
					"wrong":              {"Bearer wrong"},
					"another role's":     {"Bearer " + other},
					"longer":             {"Bearer " + right + "x"},
					"shorter":            {"Bearer " + right[:len(right)-1]},
					"other scheme":       {"Basic " + right},
					"without the scheme": {right},
					"two":                {"Bearer " + right, "Bearer " + right},
				} {
					r := request
					if header != nil {
						r.header = http.Header{"Authorization": header}
					}
					response := s.send(r)
					response.wantStatus(http.StatusUnauthorized)
					if got := response.header.Get("WWW-Authenticate"); len(got) < 6 || got[:6] != "Bearer" {
						t.Errorf("%s: WWW-Authenticate %q", what, got)
					}
				}
			})
		})
	}
	for name, request := range protectedRequests(task) {
		s.run(t, name+", authenticated", func(t *testing.T) {
			request.token = task.tokenFor(request.url)
			if response := s.send(request); response.status == http.StatusUnauthorized {
				t.Errorf("status %d: %s", response.status, response.body)
			}
		})
	}
}

// TestMediaTypes sends each message with the media types of the others, and with bodies over
// the limit. Nothing happens.
func TestMediaTypes(t *testing.T) {
	s := newSystem(t, systemOptions{api: func(o *api.Options) {
		o.Limits.AggregationJobBytes, o.Limits.CollectionJobBytes = 1<<16, 1<<16
	}})
	task := s.newTask(taskOptions{})
	for name, request := range protectedRequests(task) {
		if request.method != "POST" {
			continue
		}
		request.token = task.tokenFor(request.url)
		s.run(t, name, func(t *testing.T) {
			task.unchanged(func() {
				for _, message := range []string{"", "upload-req", "aggregation-job-resp", "hpke-config-list", request.message + "x"} {
					r := request
					r.message = message
					s.send(r).wantStatus(http.StatusUnsupportedMediaType)
				}
				r := request
				r.body = append(r.body[:len(r.body):len(r.body)], make([]byte, 1<<16)...)
				s.send(r).wantStatus(http.StatusRequestEntityTooLarge)
			})
		})
	}
}
