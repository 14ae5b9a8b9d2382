package client_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/dap"
)

// An app that reports how long something took, in milliseconds.
func Example() {
	task, done := exampleTask(dap.Prio3SumConfig{MaxMeasurement: 60_000})
	defer done()

	c, err := client.New[uint64](task, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	outcomes, err := c.Upload(context.Background(),
		client.Measurement[uint64]{Value: 1250, Time: time.Now()},
		client.Measurement[uint64]{Value: 875, Time: time.Now()},
	)
	if err != nil {
		log.Fatal(err)
	}
	for _, outcome := range outcomes {
		fmt.Println(outcome.Status)
	}
	// Output:
	// uploaded
	// uploaded
}

// A report can be prepared at one time and uploaded at another.
func ExampleClient_Prepare() {
	task, done := exampleTask(dap.Prio3HistogramConfig{Length: 24, ChunkLength: 5})
	defer done()

	c, err := client.New[int](task, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	report, err := c.Prepare(context.Background(), 17, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	stored, err := report.Encode()
	if err != nil {
		log.Fatal(err)
	}

	// Later, maybe in another process:
	report, err = dap.DecodeReport(stored)
	if err != nil {
		log.Fatal(err)
	}
	outcomes, err := c.UploadReports(context.Background(), report)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(outcomes[0].Status)
	// Output: uploaded
}

// What cannot be reported is refused before anything is sent.
func ExampleClient_Check() {
	task, done := exampleTask(dap.Prio3SumConfig{MaxMeasurement: 60_000})
	defer done()

	c, err := client.New[uint64](task, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Check(client.Measurement[uint64]{Value: 70_000, Time: time.Now()}))
	// Output: Prio3Sum: measurement: is greater than the task's maximum, 60000
}

// exampleTask returns a task whose aggregators are on this machine and accept
// everything.
func exampleTask(vdaf dap.VdafConfiguration) (client.Task, func()) {
	keypair, err := dap.GenerateHpkeKeypair(1, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	if err != nil {
		log.Fatal(err)
	}
	configs, err := dap.HpkeConfigList{Configs: []dap.HpkeConfig{keypair.Config}}.Encode()
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Type", string(dap.MediaTypeHpkeConfigList))
			w.Write(configs)
			return
		}
		io.Copy(io.Discard, r.Body)
	}))
	encoded, err := vdaf.Encode()
	if err != nil {
		log.Fatal(err)
	}
	task, err := client.NewTaskprovTask(dap.TaskConfiguration{
		TaskInfo:                 []byte("example"),
		LeaderAggregatorEndpoint: server.URL,
		HelperAggregatorEndpoint: server.URL,
		TimePrecision:            3600,
		MinBatchSize:             100,
		BatchMode:                dap.BatchModeTimeInterval,
		VdafType:                 vdaf.VdafType(),
		VdafConfiguration:        encoded,
	})
	if err != nil {
		log.Fatal(err)
	}
	return task, server.Close
}
