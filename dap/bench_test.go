package dap

import (
	"fmt"
	"io"
	"testing"
)

// benchmarkShareSize is an input share of 1,000 elements of Field128 with its
// proof, about the size of a Leader's.
const benchmarkShareSize = 3000

var benchmarkSuites = []struct {
	name  string
	suite suiteIDs
}{
	{"X25519-AES128GCM", mandatorySuite},
	{"X25519-ChaCha20Poly1305", suiteIDs{HpkeKemX25519HkdfSha256, HpkeKdfHkdfSha256, HpkeAeadChaCha20Poly1305}},
	{"P256-AES128GCM", suiteIDs{HpkeKemP256HkdfSha256, HpkeKdfHkdfSha256, HpkeAeadAes128Gcm}},
	{"XWing-AES128GCM", suiteIDs{HpkeKemXWing, HpkeKdfHkdfSha256, HpkeAeadAes128Gcm}},
}

func BenchmarkHpkeOpen(b *testing.B) {
	aad := testInputShareAad(b)
	share := PlaintextInputShare{Payload: make([]byte, benchmarkShareSize)}
	for _, bench := range benchmarkSuites {
		b.Run(bench.name, func(b *testing.B) {
			keypair := generate(b, 1, bench.suite)
			sealed, err := SealInputShare(keypair.Config, RoleHelper, aad, share)
			if err != nil {
				b.Fatal(err)
			}
			opener, err := NewInputShareOpener([]HpkeKeypair{keypair}, RoleHelper, aad.TaskID, aad.TaskConfiguration)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := opener.Open(aad.Metadata, aad.PublicShare, sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHpkeOpenBatch is what one input share costs in a batch, as
// BenchmarkHpkeOpen is what it costs alone.
func BenchmarkHpkeOpenBatch(b *testing.B) {
	aad := testInputShareAad(b)
	share := PlaintextInputShare{Payload: make([]byte, benchmarkShareSize)}
	keypair := generate(b, 1, mandatorySuite)
	for _, size := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("X25519-AES128GCM/%d", size), func(b *testing.B) {
			reports := make([]ReportShare, size)
			for i := range reports {
				sealed, err := SealInputShare(keypair.Config, RoleHelper, aad, share)
				if err != nil {
					b.Fatal(err)
				}
				reports[i] = ReportShare{aad.Metadata, aad.PublicShare, sealed}
			}
			opener, err := NewInputShareOpener([]HpkeKeypair{keypair}, RoleHelper, aad.TaskID, aad.TaskConfiguration)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				_, errs := opener.OpenBatch(reports)
				for _, err := range errs {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/share")
		})
	}
}

func BenchmarkHpkeSeal(b *testing.B) {
	aad := testInputShareAad(b)
	share := PlaintextInputShare{Payload: make([]byte, benchmarkShareSize)}
	for _, bench := range benchmarkSuites {
		b.Run(bench.name, func(b *testing.B) {
			sealer, err := NewInputShareSealer(generate(b, 1, bench.suite).Config, RoleHelper, aad.TaskID, aad.TaskConfiguration)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := sealer.Seal(aad.Metadata, aad.PublicShare, share); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// benchmarkReports returns 1,000 reports of about 3 KB.
func benchmarkReports() []Report {
	reports := make([]Report, 1000)
	for i := range reports {
		reports[i] = Report{
			Metadata:                  ReportMetadata{ReportID: NewReportID(), Time: Time(i)},
			PublicShare:               make([]byte, 64),
			LeaderEncryptedInputShare: HpkeCiphertext{1, make([]byte, 32), make([]byte, 2700)},
			HelperEncryptedInputShare: HpkeCiphertext{1, make([]byte, 32), make([]byte, 100)},
		}
	}
	return reports
}

func BenchmarkUploadRequest(b *testing.B) {
	request := UploadRequest{benchmarkReports()}
	encoded := mustEncode(b, request)
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(encoded)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeUploadRequest(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		b.SetBytes(int64(len(encoded)))
		b.ReportAllocs()
		for b.Loop() {
			reader := NewUploadReader(encoded)
			for {
				_, _, err := reader.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(len(encoded)))
		b.ReportAllocs()
		for b.Loop() {
			mustEncode(b, request)
		}
	})
}

func BenchmarkAggregationJobInitReq(b *testing.B) {
	var request AggregationJobInitReq
	for _, report := range benchmarkReports() {
		report.LeaderEncryptedInputShare.ConfigID = 2
		request.VerifyInits = append(request.VerifyInits, VerifyInit{
			ReportShare: ReportShare{report.Metadata, report.PublicShare, report.LeaderEncryptedInputShare},
			Payload:     make([]byte, 200),
		})
	}
	encoded := mustEncode(b, request)
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(encoded)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeAggregationJobInitReq(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(len(encoded)))
		b.ReportAllocs()
		for b.Loop() {
			mustEncode(b, request)
		}
	})
}
