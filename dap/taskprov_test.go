package dap

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"testing"
)

// specHeader is the example of Taskprov Section 3.2.
const specHeader = ":BHRlc3QAG2h0dHBzOi8vbGVhZGVyLmV4YW1wbGUuY29tLwAbaHR0cHM6Ly9oZWxwZXIuZXhhbXBsZS5jb20vAAAAAAAAADwAAAAAAAAACgEAAAAAAAEAAAAUAAEAEAAAAAAAAAA8AAAAAAAAAGQ=:"

func TestTaskprovHeaderOfTheStandard(t *testing.T) {
	got, err := ParseTaskprovHeader([]string{specHeader})
	if err != nil {
		t.Fatal(err)
	}
	want := TaskConfiguration{
		TaskInfo:                 []byte("test"),
		LeaderAggregatorEndpoint: "https://leader.example.com/",
		HelperAggregatorEndpoint: "https://helper.example.com/",
		TimePrecision:            60,
		MinBatchSize:             10,
		BatchMode:                BatchModeTimeInterval,
		VdafType:                 VdafTypePrio3Count,
		Extensions:               []TaskExtension{NewTaskIntervalExtension(Interval{60, 100})},
	}
	if !reflect.DeepEqual(got.Configuration, want) {
		t.Errorf("configuration %+v\n want %+v", got.Configuration, want)
	}
	if err := got.Configuration.Validate(); err != nil {
		t.Error(err)
	}
	// Computed with another implementation of SHA-256.
	if id := "NYSKiYrbFGtVk4UkfH5J2xy9KK9S48Ec-wHU_EtJBHk"; got.TaskID.String() != id {
		t.Errorf("task ID %s; want %s", got.TaskID, id)
	}
	encoded := mustEncode(t, got.Configuration)
	if !bytes.Equal(encoded, got.Encoded) {
		t.Errorf("encoded again: %x; want %x", encoded, got.Encoded)
	}
	if header, err := FormatTaskprovHeader(encoded); header != specHeader || err != nil {
		t.Errorf("header %s, %v; want %s", header, err, specHeader)
	}
}

func TestTaskprovHeaderParametersAreIgnored(t *testing.T) {
	for _, value := range []string{specHeader + ";a=1;b", "  " + specHeader + `; q="x"  `} {
		got, err := ParseTaskprovHeader([]string{value})
		if err != nil || got.TaskID.String() != "NYSKiYrbFGtVk4UkfH5J2xy9KK9S48Ec-wHU_EtJBHk" {
			t.Errorf("%s: %v, %v", value, got.TaskID, err)
		}
	}
}

func TestTaskprovHeaderIgnored(t *testing.T) {
	if _, err := ParseTaskprovHeader(nil); err != ErrNoTaskAdvertisement {
		t.Errorf("no header: %v; want ErrNoTaskAdvertisement", err)
	}
	plain := changed(func(c *TaskConfiguration) { c.Extensions = nil })
	broken := mustEncode(t, plain)
	broken = append(broken[:len(broken)-2], 0, 8, 0, 5, 0, 0, 0, 4, 0, 0)
	tests := map[string][]string{
		"empty":               {""},
		"string":              {`"text"`},
		"token":               {"BHRl"},
		"integer":             {"12"},
		"boolean":             {"?1"},
		"inner list":          {"(" + specHeader + ")"},
		"list":                {specHeader + ", " + specHeader},
		"twice":               {specHeader, specHeader},
		"no end":              {specHeader[:len(specHeader)-1]},
		"not Base64":          {":a-b_:"},
		"broken parameter":    {specHeader + ";=1"},
		"no configuration":    {"::"},
		"shorter":             {":BHRlc3QAG2h0dHBzOi8v:"},
		"trailing bytes":      {fmt.Sprintf(":%s:", base64Of(append(mustEncode(t, plain), 0)))},
		"unsorted extensions": {fmt.Sprintf(":%s:", base64Of(broken))},
	}
	for name, values := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseTaskprovHeader(values)
			if _, ok := errors.AsType[*IgnoredTaskAdvertisementError](err); !ok || !errors.Is(err, ErrNoTaskAdvertisement) {
				t.Errorf("error %v; want an *IgnoredTaskAdvertisementError", err)
			}
		})
	}
	if _, err := FormatTaskprovHeader(broken); err == nil {
		t.Error("a header is made of what is no task configuration")
	}
}

func testVerifyKeyInit(t testing.TB) VerifyKeyInit {
	t.Helper()
	b := make([]byte, 32)
	for i := range b {
		b[i] = byte(i)
	}
	secret, err := ParseVerifyKeyInit(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b) // ParseVerifyKeyInit copies
	return secret
}

func TestTaskprovVerifyKey(t *testing.T) {
	id, err := ParseTaskID("NYSKiYrbFGtVk4UkfH5J2xy9KK9S48Ec-wHU_EtJBHk")
	if err != nil {
		t.Fatal(err)
	}
	// Computed with another implementation of HKDF.
	want := unhex(t, `b8e92261737fbd368b4cd5b17fdafd6d8fe587f2696df6cd07b618167c2c83d0 857bfbef19dc12de258dbedabe8d13cf`)
	for _, size := range []int{0, 16, 32, 48} {
		got, err := TaskprovVerifyKey(testVerifyKeyInit(t), id, size)
		if err != nil || !bytes.Equal(got, want[:size]) {
			t.Errorf("%d bytes: %x, %v; want %x", size, got, err, want[:size])
		}
	}
	if _, err := TaskprovVerifyKey(testVerifyKeyInit(t), id, 255*32+1); err == nil {
		t.Error("HKDF gives more than it can")
	}
	if _, err := TaskprovVerifyKey(testVerifyKeyInit(t), id, -1); err == nil {
		t.Error("a key of -1 bytes")
	}
	if _, err := TaskprovVerifyKey(VerifyKeyInit{}, id, 32); err != ErrInvalidVerifyKeyInit {
		t.Errorf("without a secret: %v; want ErrInvalidVerifyKeyInit", err)
	}
}

func TestVerifyKeyInit(t *testing.T) {
	for _, n := range []int{0, 31, 33} {
		if _, err := ParseVerifyKeyInit(make([]byte, n)); err != ErrInvalidVerifyKeyInit {
			t.Errorf("%d bytes: %v; want ErrInvalidVerifyKeyInit", n, err)
		}
	}
	a, b := NewVerifyKeyInit(), NewVerifyKeyInit()
	if len(a.Bytes()) != 32 || bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two new secrets are equal, or not of 32 bytes")
	}
	if (VerifyKeyInit{}).Bytes() != nil {
		t.Error("the zero value has bytes")
	}
}
