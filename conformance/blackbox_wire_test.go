package conformance

import (
	"encoding/binary"
	"testing"
)

// The messages of DAP as these tests write and read them: by hand from the
// standard's layouts, so that the servers are not tested with their own codec.
// Encoders take whatever they are given, valid or not.

// wire is a message, or a part of one, in the making.
type wire []byte

func (w wire) u8(x byte) wire     { return append(w, x) }
func (w wire) u16(x uint16) wire  { return binary.BigEndian.AppendUint16(w, x) }
func (w wire) u32(x uint32) wire  { return binary.BigEndian.AppendUint32(w, x) }
func (w wire) u64(x uint64) wire  { return binary.BigEndian.AppendUint64(w, x) }
func (w wire) raw(b []byte) wire  { return append(w, b...) }
func (w wire) vec8(b []byte) wire { return append(append(w, byte(len(b))), b...) }
func (w wire) vec16(b []byte) wire {
	return append(w.u16(uint16(len(b))), b...)
}
func (w wire) vec32(b []byte) wire {
	return append(w.u32(uint32(len(b))), b...)
}

// Codepoints of the standard.
const (
	modeTimeInterval   = 1
	modeLeaderSelected = 2

	respContinue = 0
	respFinish   = 1
	respReject   = 2

	errBatchCollected   = 1
	errReportReplayed   = 2
	errReportDropped    = 3
	errHpkeDecryptError = 5
	errVdafVerifyError  = 6
	errTaskExpired      = 7
	errInvalidMessage   = 8
	errReportTooEarly   = 9
	errTaskNotStarted   = 10
	errOutdatedConfig   = 11
)

// wireExtension is an extension of any of the kinds: they all look the same.
type wireExtension struct {
	kind uint16
	data []byte
}

func wireExtensions(list ...wireExtension) []byte {
	var w wire
	for _, e := range list {
		w = w.u16(e.kind).vec16(e.data)
	}
	return w
}

// wireCiphertext is an HpkeCiphertext.
type wireCiphertext struct {
	configID     byte
	enc, payload []byte
}

func (w wire) ciphertext(c wireCiphertext) wire {
	return w.u8(c.configID).vec16(c.enc).vec32(c.payload)
}

// wireMetadata is a ReportMetadata.
type wireMetadata struct {
	id         [16]byte
	time       uint64
	extensions []byte // encoded
}

func (w wire) metadata(m wireMetadata) wire {
	return w.raw(m.id[:]).u64(m.time).vec16(m.extensions)
}

// wireReport is a Report, with what its Client knows of it besides.
type wireReport struct {
	wireMetadata
	publicShare    []byte
	leader, helper wireCiphertext

	leaderShare []byte // the Leader's plain input share
	measurement uint64
}

func (r wireReport) encode() []byte {
	return wire{}.metadata(r.wireMetadata).vec32(r.publicShare).ciphertext(r.leader).ciphertext(r.helper)
}

// wireUpload is an UploadRequest.
func wireUpload(reports ...wireReport) []byte {
	var w wire
	for _, r := range reports {
		w = w.raw(r.encode())
	}
	return w
}

// wireVerifyInit is a VerifyInit with the Helper's share of the report.
func wireVerifyInit(r wireReport, outbound []byte) []byte {
	return wire{}.metadata(r.wireMetadata).vec32(r.publicShare).ciphertext(r.helper).vec32(outbound)
}

// wireInitReq is an AggregationJobInitReq.
type wireInitReq struct {
	keyID      byte
	aggParam   []byte
	extensions []byte // encoded
	inits      [][]byte
}

func (r wireInitReq) encode() []byte {
	w := wire{}.u8(r.keyID).vec32(r.aggParam).vec16(r.extensions)
	for _, init := range r.inits {
		w = w.raw(init)
	}
	return w
}

// wireContinue is a VerifyContinue.
type wireContinue struct {
	id      [16]byte
	payload []byte
}

// wireContinueReq is an AggregationJobContinueReq.
func wireContinueReq(step uint16, continues ...wireContinue) []byte {
	w := wire{}.u16(step)
	for _, c := range continues {
		w = w.raw(c.id[:]).vec32(c.payload)
	}
	return w
}

// wireQuery is a Query or a BatchSelector.
func wireQuery(mode byte, config []byte) []byte { return wire{}.u8(mode).vec16(config) }

func wireInterval(start, duration uint64) []byte { return wire{}.u64(start).u64(duration) }

// wireCollectionReq is a CollectionJobReq.
func wireCollectionReq(query, aggParam, extensions []byte) []byte {
	return wire{}.raw(query).vec32(aggParam).vec16(extensions)
}

// wireShareReq is an AggregateShareReq.
type wireShareReq struct {
	collectionReq, selector []byte
	count                   uint64
	checksum                [32]byte
}

func (r wireShareReq) encode() []byte {
	return wire{}.raw(r.collectionReq).raw(r.selector).u64(r.count).raw(r.checksum[:])
}

// wireReader reads a message strictly: what is not there is a failure of the test.
type wireReader struct {
	t       testing.TB
	what    string
	rest    []byte
	size    int
	lengths [][2]int // begin and end of the length of each vector so far
}

func readWire(t testing.TB, what string, b []byte) *wireReader {
	return &wireReader{t: t, what: what, rest: b, size: len(b)}
}

func (r *wireReader) raw(n int) []byte {
	r.t.Helper()
	if n > len(r.rest) {
		r.t.Fatalf("%s: %d bytes are wanted where %d are left", r.what, n, len(r.rest))
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *wireReader) u8() byte     { r.t.Helper(); return r.raw(1)[0] }
func (r *wireReader) u16() uint16  { r.t.Helper(); return binary.BigEndian.Uint16(r.raw(2)) }
func (r *wireReader) u32() uint32  { r.t.Helper(); return binary.BigEndian.Uint32(r.raw(4)) }
func (r *wireReader) u64() uint64  { r.t.Helper(); return binary.BigEndian.Uint64(r.raw(8)) }
func (r *wireReader) id() [16]byte { r.t.Helper(); return [16]byte(r.raw(16)) }
func (r *wireReader) more() bool   { return len(r.rest) > 0 }
func (r *wireReader) ciphertext() wireCiphertext {
	r.t.Helper()
	return wireCiphertext{r.u8(), r.vec16(), r.vec32()}
}

func (r *wireReader) vec16() []byte {
	r.t.Helper()
	at := r.size - len(r.rest)
	r.lengths = append(r.lengths, [2]int{at, at + 2})
	return r.raw(int(r.u16()))
}

func (r *wireReader) vec32() []byte {
	r.t.Helper()
	at := r.size - len(r.rest)
	r.lengths = append(r.lengths, [2]int{at, at + 4})
	return r.raw(int(r.u32()))
}

// end fails the test if something is left.
func (r *wireReader) end() {
	r.t.Helper()
	if r.more() {
		r.t.Fatalf("%s: %d bytes are left", r.what, len(r.rest))
	}
}

// wireHpkeConfig is an HpkeConfig.
type wireHpkeConfig struct {
	id             byte
	kem, kdf, aead uint16
	publicKey      []byte
}

func (c wireHpkeConfig) encode() []byte {
	return wire{}.u8(c.id).u16(c.kem).u16(c.kdf).u16(c.aead).vec16(c.publicKey)
}

// readHpkeConfigList reads an HpkeConfigList.
func readHpkeConfigList(t testing.TB, b []byte) (list []wireHpkeConfig) {
	t.Helper()
	outer := readWire(t, "HpkeConfigList", b)
	r := readWire(t, "HpkeConfigList", outer.vec16())
	outer.end()
	for r.more() {
		list = append(list, wireHpkeConfig{r.u8(), r.u16(), r.u16(), r.u16(), r.vec16()})
	}
	return list
}

// wireUploadError is a ReportUploadStatus.
type wireUploadError struct {
	id    [16]byte
	error byte
}

// readUploadErrors reads an UploadErrors.
func readUploadErrors(t testing.TB, b []byte) (list []wireUploadError) {
	t.Helper()
	for r := readWire(t, "UploadErrors", b); r.more(); {
		list = append(list, wireUploadError{r.id(), r.u8()})
	}
	return list
}

// wireVerifyResp is a VerifyResp.
type wireVerifyResp struct {
	id      [16]byte
	kind    byte
	payload []byte
	error   byte
}

func (v wireVerifyResp) encode() []byte {
	w := wire{}.raw(v.id[:]).u8(v.kind)
	switch v.kind {
	case respContinue:
		w = w.vec32(v.payload)
	case respReject:
		w = w.u8(v.error)
	}
	return w
}

// readAggregationJobResp reads an AggregationJobResp.
func readAggregationJobResp(t testing.TB, b []byte) (list []wireVerifyResp) {
	t.Helper()
	for r := readWire(t, "AggregationJobResp", b); r.more(); {
		v := wireVerifyResp{id: r.id(), kind: r.u8()}
		switch v.kind {
		case respContinue:
			v.payload = r.vec32()
		case respFinish:
		case respReject:
			v.error = r.u8()
		default:
			t.Fatalf("AggregationJobResp: type %d", v.kind)
		}
		list = append(list, v)
	}
	return list
}

// wireCollection is a CollectionJobResp.
type wireCollection struct {
	count           uint64
	start, duration uint64
	leader, helper  wireCiphertext
}

func readCollectionJobResp(t testing.TB, b []byte) wireCollection {
	t.Helper()
	r := readWire(t, "CollectionJobResp", b)
	c := wireCollection{r.u64(), r.u64(), r.u64(), r.ciphertext(), r.ciphertext()}
	r.end()
	return c
}

// readAggregateShare reads an AggregateShare.
func readAggregateShare(t testing.TB, b []byte) wireCiphertext {
	t.Helper()
	r := readWire(t, "AggregateShare", b)
	c := r.ciphertext()
	r.end()
	return c
}

// wireSentInit is a VerifyInit as a Leader has sent it.
type wireSentInit struct {
	wireMetadata
	publicShare []byte
	share       wireCiphertext
	payload     []byte
}

// readInitReq reads an AggregationJobInitReq.
func readInitReq(t testing.TB, b []byte) (request wireInitReq, inits []wireSentInit) {
	t.Helper()
	r := readWire(t, "AggregationJobInitReq", b)
	request = wireInitReq{keyID: r.u8(), aggParam: r.vec32(), extensions: r.vec16()}
	for r.more() {
		metadata := wireMetadata{r.id(), r.u64(), r.vec16()}
		inits = append(inits, wireSentInit{metadata, r.vec32(), r.ciphertext(), r.vec32()})
	}
	return request, inits
}

// readContinueReq reads an AggregationJobContinueReq.
func readContinueReq(t testing.TB, b []byte) (step uint16, continues []wireContinue) {
	t.Helper()
	r := readWire(t, "AggregationJobContinueReq", b)
	step = r.u16()
	for r.more() {
		continues = append(continues, wireContinue{r.id(), r.vec32()})
	}
	return step, continues
}

// readShareReq reads an AggregateShareReq.
func readShareReq(t testing.TB, b []byte) (request wireShareReq) {
	t.Helper()
	r := readWire(t, "AggregateShareReq", b)
	collection := b
	r.u8()
	r.vec16()
	r.vec32()
	r.vec16()
	request.collectionReq = collection[:len(b)-len(r.rest)]
	selector := r.rest
	r.u8()
	r.vec16()
	request.selector = selector[:len(selector)-len(r.rest)]
	request.count, request.checksum = r.u64(), [32]byte(r.raw(32))
	r.end()
	return request
}
