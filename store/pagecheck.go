package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"math"
)

// pageChecker looks at all pages of a bbolt file that hold keys, before bbolt
// does: bbolt trusts what it maps, and a page that makes no sense would bring the
// process down. It reads the file and not the mapping, and of each page no more than the keys.
//
// A page begins with a header: its own number (8 bytes), its kind (2), the number of its
// elements (2), and by how many further pages it is continued (4). The elements, 16 bytes each,
// say where their keys and values are: bytes from the element's own place.
type pageChecker struct {
	file     io.ReaderAt
	pageSize int
	high     uint64   // no page has this number or a higher one
	seen     []uint64 // a bit for each page
	unread   []uint64 // the leaves that were only claimed: they may be continued
	meta     pageMeta
	// leaves is how many more leaf pages are read that a branch leads to. After that only
	// the first of every branchesPerSample branches is, in buckets without buckets; the others are only claimed.
	leaves  int
	strange bool // there was a bucket where the store makes none
	sampled int  // branches over leaves without buckets, since leaves is used up
	// heads are the beginnings of the pages that lead to the one that is read, by depth.
	heads [][]byte
}

// branchesPerSample is below how many branches one leaf is read at least. One branch leads to about a hundred.
const branchesPerSample = 8

// bucketKind is what a bucket holds, by its place in the store.
type bucketKind int

const (
	kindFile  bucketKind = iota // the buckets of the first level
	kindData                    // those of the tasks
	kindTask                    // those of a task
	kindParts                   // generations or logs of report IDs
	kindPlain                   // no buckets
)

// below is the kind of a bucket within one of this kind.
func (k bucketKind) below(name []byte) bucketKind {
	switch {
	case k == kindFile && string(name) == bucketData:
		return kindData
	case k == kindData:
		return kindTask
	case k == kindTask && (string(name) == bucketIDs || string(name) == bucketRecent):
		return kindParts
	}
	return kindPlain
}

// pageLevel is what a tree of pages is like below one of them. It is the same for those beside it.
type pageLevel int

const (
	someLevel  pageLevel = iota
	plainLeaf            // a leaf without buckets
	abovePlain           // a branch over those
)

const (
	everyLeaf = math.MaxInt
	// leavesAtOpening bounds what the opening of a large file takes: 64 MiB of pages of 16 KiB, and all the branches.
	leavesAtOpening = 1 << 12
)

const (
	pageHeaderLength  = 16
	pageElementLength = 16
	pageBranch        = 0x01
	pageLeaf          = 0x02
	pageFreelist      = 0x10

	metaMagic   = 0xED0CDAED
	metaVersion = 2
	metaLength  = 64
	noFreelist  = math.MaxUint64

	bucketFlag         = 0x01
	bucketHeaderLength = 16 // root page and sequence

	// More than the height of any tree of pages and of all the buckets in each other.
	maxPageDepth = 100
)

var native = binary.NativeEndian

// checkPages checks a file of size bytes: all of its pages but for leaves beyond the given number, of which it takes samples.
func checkPages(file io.ReaderAt, size int64, leaves int) error {
	_, err := readPages(file, size, leaves)
	return err
}

// readPages is checkPages, and returns what it knows of the pages.
func readPages(file io.ReaderAt, size int64, leaves int) (*pageChecker, error) {
	m, err := readMeta(file)
	if err != nil {
		return nil, err
	}
	if m.high > math.MaxInt64/uint64(m.pageSize) || int64(m.high)*int64(m.pageSize) > size {
		return nil, pageError(0, "the file has %d bytes, but should have %d pages of %d", size, m.high, m.pageSize)
	}
	c := &pageChecker{file: file, meta: m, pageSize: m.pageSize, high: m.high, seen: make([]uint64, m.high/64+1), leaves: leaves}
	c.claim(0, 1)
	if _, err := c.tree(m.root, kindFile, 0, nil, nil, someLevel); err != nil {
		return nil, err
	}
	if m.freelist != noFreelist {
		if err := c.freelist(m.freelist); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func pageError(page uint64, format string, args ...any) error {
	return &RecordError{Record: fmt.Sprintf("(page %d)", page), Problem: fmt.Sprintf(format, args...)}
}

// pageMeta is what one of the first two pages says of the file.
type pageMeta struct {
	pageSize                   int
	root, freelist, high, txid uint64
}

// readMeta returns the newer one of the first two pages that is whole.
func readMeta(file io.ReaderAt) (best pageMeta, err error) {
	first, ok := readMetaAt(file, 0)
	second, secondOK := readMetaAt(file, int64(first.pageSize))
	if !ok { // where the second is depends on the page size
		for size := 1 << 9; size <= 1<<16 && !secondOK; size <<= 1 {
			second, secondOK = readMetaAt(file, int64(size))
		}
	}
	switch {
	case ok && (!secondOK || first.txid > second.txid):
		return first, nil
	case secondOK:
		return second, nil
	}
	return best, pageError(0, "neither of the first two pages is whole")
}

func readMetaAt(file io.ReaderAt, offset int64) (m pageMeta, ok bool) {
	b := make([]byte, metaLength)
	if _, err := file.ReadAt(b, offset+pageHeaderLength); err != nil {
		return m, false
	}
	sum := fnv.New64a()
	sum.Write(b[:metaLength-8])
	m = pageMeta{
		pageSize: int(native.Uint32(b[8:])), root: native.Uint64(b[16:]),
		freelist: native.Uint64(b[32:]), high: native.Uint64(b[40:]), txid: native.Uint64(b[48:]),
	}
	ok = native.Uint32(b) == metaMagic && native.Uint32(b[4:]) == metaVersion && native.Uint64(b[56:]) == sum.Sum64() &&
		m.pageSize >= 1<<9 && m.pageSize <= 1<<20
	return m, ok
}

// claim marks pages, and tells whether all of them were there and nobody's.
func (c *pageChecker) claim(page, n uint64) bool {
	if page >= c.high || n > c.high-page {
		return false
	}
	for ; n > 0; page, n = page+1, n-1 {
		if c.seen[page/64]&(1<<(page%64)) != 0 {
			return false
		}
		c.seen[page/64] |= 1 << (page % 64)
	}
	return true
}

// openPage is a page of which the beginning has been read.
type openPage struct {
	c      *pageChecker
	number uint64
	start  int64 // in the file
	length int   // with its continuation
	head   []byte
	kind   uint16
	count  int
}

// open reads the header and the elements of a page, whose beginning goes into head.
func (c *pageChecker) open(number uint64, head []byte) (*openPage, error) {
	if number >= c.high {
		return nil, pageError(number, "it is beyond the last page")
	}
	p := &openPage{c: c, number: number, start: int64(number) * int64(c.pageSize), head: head}
	if _, err := c.file.ReadAt(p.head, p.start); err != nil {
		return nil, err
	}
	continued := uint64(native.Uint32(p.head[12:]))
	if got := native.Uint64(p.head); got != number {
		return nil, pageError(number, "it is marked as page %d", got)
	}
	if !c.claim(number, 1+continued) {
		return nil, pageError(number, "it, or one of the %d pages that continue it, is in use elsewhere", continued)
	}
	p.length = int(1+continued) * c.pageSize
	p.kind, p.count = native.Uint16(p.head[8:]), int(native.Uint16(p.head[10:]))
	return p, p.checkElements()
}

// checkElements makes sure that all the page's elements have been read.
func (p *openPage) checkElements() error {
	if p.kind != pageBranch && p.kind != pageLeaf {
		return nil
	}
	need := pageHeaderLength + p.count*pageElementLength
	if need > p.length {
		return pageError(p.number, "it has no room for its %d elements", p.count)
	}
	if need > len(p.head) {
		p.head = make([]byte, need)
		_, err := p.c.file.ReadAt(p.head, p.start)
		return err
	}
	return nil
}

// bytes returns a part of the page.
func (p *openPage) bytes(offset, length int) ([]byte, error) {
	if offset < pageHeaderLength || length < 0 || offset > p.length || length > p.length-offset {
		return nil, pageError(p.number, "%d bytes at %d are not in it", length, offset)
	}
	if offset+length <= len(p.head) {
		return p.head[offset : offset+length], nil
	}
	b := make([]byte, length)
	_, err := p.c.file.ReadAt(b, p.start+int64(offset))
	return b, err
}

// pageElement is a key with its value or its child.
type pageElement struct {
	key         []byte
	child       uint64 // branch
	isBucket    bool   // leaf
	valueOffset int
	valueLength int
}

// element reads the key of element i.
func (p *openPage) element(i int) (e pageElement, err error) {
	at := pageHeaderLength + i*pageElementLength
	b := p.head[at:]
	position, keyLength := native.Uint32(b), native.Uint32(b[4:])
	if p.kind == pageLeaf {
		e.isBucket = native.Uint32(b)&bucketFlag != 0
		position, keyLength = native.Uint32(b[4:]), native.Uint32(b[8:])
		e.valueLength = int(native.Uint32(b[12:]))
	} else {
		e.child = native.Uint64(b[8:])
	}
	offset := uint64(at) + uint64(position)
	if offset > uint64(p.length) || uint64(keyLength) > uint64(p.length) {
		return e, pageError(p.number, "element %d is not in it", i)
	}
	e.valueOffset = int(offset) + int(keyLength)
	if e.key, err = p.bytes(int(offset), int(keyLength)); err != nil {
		return e, err
	}
	if e.valueOffset+e.valueLength > p.length {
		return e, pageError(p.number, "the value of element %d is not in it", i)
	}
	return e, nil
}

// tree checks a page and all that it leads to. Its keys must be from low up to but
// without high, which is nil for no limit. kind is that of the bucket, beside the level of the page before it, if that is of the same branch.
func (c *pageChecker) tree(number uint64, kind bucketKind, depth int, low, high []byte, beside pageLevel) (level pageLevel, err error) {
	if depth >= len(c.heads) {
		c.heads = append(c.heads, make([]byte, c.pageSize))
	}
	p, err := c.open(number, c.heads[depth])
	if err != nil {
		return someLevel, err
	}
	if p.kind != pageBranch && p.kind != pageLeaf || depth > maxPageDepth || p.kind == pageBranch && p.count == 0 {
		return someLevel, pageError(number, "its kind is %#x, with %d elements, at depth %d", p.kind, p.count, depth)
	}
	if p.kind == pageLeaf {
		level = plainLeaf
		c.leaves--
	}
	var e pageElement
	below := someLevel // the level of the children, by what is known of those before
	if p.kind == pageBranch && kind == kindPlain && beside == abovePlain && c.leaves <= 0 {
		if c.sampled++; c.sampled%branchesPerSample != 0 {
			below = plainLeaf
		}
	}
	for i := range p.count {
		previous := e.key
		if e, err = p.element(i); err != nil {
			return someLevel, err
		}
		if e.isBucket {
			level, c.strange = someLevel, c.strange || kind == kindPlain
		}
		if i > 0 && bytes.Compare(previous, e.key) >= 0 || bytes.Compare(e.key, low) < 0 || high != nil && bytes.Compare(e.key, high) >= 0 {
			return someLevel, pageError(number, "its keys are out of order")
		}
		if kind == kindPlain && below == plainLeaf && c.leaves <= 0 {
			if !c.claim(e.child, 1) {
				return someLevel, pageError(e.child, "it is in use elsewhere, or beyond the last page")
			}
			c.markUnread(e.child)
		} else if below, err = p.descend(i, &e, kind, depth, high, below); err != nil {
			return someLevel, err
		}
	}
	if p.kind == pageBranch && below == plainLeaf {
		level = abovePlain
	}
	return level, nil
}

// descend checks what an element leads to, and returns the level of a branch's child.
func (p *openPage) descend(i int, e *pageElement, kind bucketKind, depth int, high []byte, beside pageLevel) (pageLevel, error) {
	if p.kind == pageBranch {
		if i+1 < p.count {
			next, err := p.element(i + 1)
			if err != nil {
				return someLevel, err
			}
			high = next.key
		}
		return p.c.tree(e.child, kind, depth+1, e.key, high, beside)
	}
	if !e.isBucket {
		return someLevel, nil
	}
	value, err := p.bytes(e.valueOffset, e.valueLength)
	if err != nil {
		return someLevel, err
	}
	if len(value) < bucketHeaderLength {
		return someLevel, pageError(p.number, "a bucket has %d bytes", len(value))
	}
	if root := native.Uint64(value); root != 0 {
		_, err := p.c.tree(root, kind.below(e.key), depth+1, nil, nil, someLevel)
		return someLevel, err
	}
	return someLevel, p.inline(value[bucketHeaderLength:])
}

// inline checks a bucket that is small enough to stand in its parent's page. It looks
// like a page of its own.
func (p *openPage) inline(b []byte) error {
	if len(b) < pageHeaderLength {
		return pageError(p.number, "a bucket within it has %d bytes", len(b))
	}
	q := &openPage{
		c: p.c, number: p.number, length: len(b), head: b,
		kind: native.Uint16(b[8:]), count: int(native.Uint16(b[10:])),
	}
	if q.kind != pageLeaf || pageHeaderLength+q.count*pageElementLength > len(b) {
		return pageError(p.number, "a bucket within it is of kind %#x, with %d elements", q.kind, q.count)
	}
	var last []byte
	for i := range q.count {
		e, err := q.element(i)
		if err != nil {
			return err
		}
		if e.isBucket || i > 0 && bytes.Compare(last, e.key) >= 0 {
			return pageError(p.number, "a bucket within it has a key out of order, or a bucket of its own")
		}
		last = e.key
	}
	return nil
}

// freelist checks the list of free pages: none of them is in use.
func (c *pageChecker) freelist(number uint64) error {
	p, err := c.open(number, make([]byte, c.pageSize))
	if err != nil {
		return err
	}
	if p.kind != pageFreelist {
		return pageError(number, "its kind is %#x, not a list of free pages", p.kind)
	}
	offset, count := pageHeaderLength, p.count
	if count == math.MaxUint16 { // the number is too large for the header
		b, err := p.bytes(offset, 8)
		if err != nil {
			return err
		}
		if n := native.Uint64(b); n > c.high {
			return pageError(number, "it lists %d pages", n)
		}
		offset, count = offset+8, int(native.Uint64(b))
	}
	ids, err := p.bytes(offset, count*8)
	if err != nil {
		return err
	}
	for ; len(ids) > 0; ids = ids[8:] {
		if free := native.Uint64(ids); !c.claim(free, 1) {
			return pageError(free, "it is listed as free, but is in use or beyond the last page")
		}
	}
	return nil
}
