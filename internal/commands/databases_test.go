package commands

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/base64url"
	"github.com/twofold-dap/twofold/store"
)

// deferredJob DIR stores a job in the database of a helper that is not running: one whose request was
// accepted by an asynchronous helper, and is damaged since, so that it cannot be computed. Its ID is in $JOB.
func deferredJob(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	text, err := os.ReadFile(filepath.Join(dir, "store.key"))
	ts.Check(err)
	root, err := base64url.Decode(strings.TrimSpace(string(text)))
	ts.Check(err)
	key, err := hkdf.Key(sha256.New, root, nil, "twofold store key", store.KeySize)
	ts.Check(err)
	helper, err := store.OpenHelper(filepath.Join(dir, "helper.db"), key, store.Options{})
	ts.Check(err)
	defer func() { ts.Check(helper.Close()) }()
	ctx := context.Background()
	tasks, err := helper.Tasks(ctx)
	ts.Check(err)
	job := aggregator.HelperJob{
		ID: dap.NewAggregationJobID(), Task: tasks[0].ID, AggParam: []byte{}, RequestDigest: [32]byte{1}, Pending: true,
		Request: []byte("damaged"), CreatedAt: time.Now(), Newest: dap.Time(time.Now().Unix() / 3600),
	}
	_, created, err := helper.CreateHelperJob(ctx, job)
	ts.Check(err)
	if !created {
		ts.Fatalf("the job is there already")
	}
	ts.Setenv("JOB", job.ID.String())
}

// cut N FILE cuts a file to its first N bytes.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[1]), n))
}
