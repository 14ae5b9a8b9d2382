// Package conformance holds no code but tests: whether the module matches the
// standards, and keeps to its own architecture.
//
// TestVectors replays test vectors that an independent implementation wrote
// (see conformance/generate), as operations with every intermediate value compared.
// TestOfficialVectors does the same with the directory of official vectors that the
// environment variable VDAF_VECTORS names, relative to the module's root:
//
//	VDAF_VECTORS=DIR go test ./conformance -run TestOfficialVectors -count=1 -v
//
// The tests in blackbox_*_test.go speak HTTP to a Leader and a Helper over their own
// databases, with messages that are written and read by hand from the standard's
// layouts. TestMusts checks docs/musts.md, the table of the standards' requirements and
// the tests that show them; with the directory of the standards' texts it compares the
// table with them, and TestSectionReferences looks up every section that is mentioned:
//
//	DAP_SPECS=DIR go test ./conformance -run 'TestMusts|TestSectionReferences' -count=1 -v
//
// TestArchitecture compares the imports of all packages with the table in
// arch_table_test.go.
package conformance
