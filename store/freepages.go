package store

import (
	"bufio"
	"errors"
	"hash/fnv"
	"io"
	"math"
	"os"
)

// A server that is killed can leave a file without a list of free pages, see chooseFreelist. bbolt then walks through
// all pages to find out which are free, which takes half a minute and much memory if ten gigabytes are in use. The pages that lead to others
// say nearly as much, and inspect has read those, and whatever can have buckets in it: so the list is made from them, and written before bbolt opens
// the file, as a transaction that changes nothing else.

// listFreePages writes the list into a file that was left without one, and whose pages were read before. Where the file cannot be locked it leaves that to
// bbolt, as it does if the disk refuses.
func (s *store) listFreePages(file *os.File, pages *pageChecker) error {
	if pages.meta.freelist != noFreelist || !canLock || lock(file) != nil {
		return nil
	}
	pages.file = file
	err := pages.writeFreelist(file, !s.options.NoSync)
	if errors.Is(err, ErrCorrupt) {
		return err
	}
	return nil
}

// Offsets in a meta page, behind its header.
const (
	metaFreelist = 32
	metaHigh     = 40
	metaTxid     = 48
	metaChecksum = 56
)

// longFreelist is of how many pages the list has its length as its first element.
const longFreelist = math.MaxUint16

// writeFreelist writes the list of free pages into the file that c has checked. The caller has the lock. If
// the file has changed since, or the disk refuses, nothing is different from before.
func (c *pageChecker) writeFreelist(file *os.File, sync bool) error {
	m, err := readMeta(file)
	if err != nil || m != c.meta || m.freelist != noFreelist || c.strange {
		return err
	}
	free, err := c.free()
	if err != nil {
		return err
	}
	high, err := c.appendFreelist(file, free)
	if err != nil {
		return err
	}
	// What is about to be replaced is needed until all of that, and the newest meta page itself, is on the disk.
	if sync {
		if err := file.Sync(); err != nil {
			return err
		}
	}
	if err := c.writeMeta(file, high); err != nil || !sync {
		return err
	}
	return file.Sync()
}

// free returns the pages that are nobody's, in order. Of the leaves that were only claimed those are looked at that
// may be continued: nobody's page follows.
func (c *pageChecker) free() (free []uint64, err error) {
	header := make([]byte, pageHeaderLength)
	for page := uint64(2); page < c.high; page++ {
		if c.seen[page/64] == math.MaxUint64 {
			page |= 63
			continue
		}
		if hasBit(c.seen, page) {
			continue
		}
		if c.unread != nil && hasBit(c.unread, page-1) {
			continued, err := c.continuation(page-1, header)
			if err != nil {
				return nil, err
			}
			if continued > 0 {
				page += continued - 1
				continue
			}
		}
		free = append(free, page)
	}
	return free, nil
}

func hasBit(set []uint64, page uint64) bool { return set[page/64]&(1<<(page%64)) != 0 }

// continuation claims the pages that continue a leaf that was not read.
func (c *pageChecker) continuation(leaf uint64, header []byte) (uint64, error) {
	if _, err := c.file.ReadAt(header, int64(leaf)*int64(c.pageSize)); err != nil {
		return 0, err
	}
	if got, kind := native.Uint64(header), native.Uint16(header[8:]); got != leaf || kind != pageLeaf {
		return 0, pageError(leaf, "it is marked as page %d, of kind %#x", got, kind)
	}
	continued := uint64(native.Uint32(header[12:]))
	if continued > 0 && !c.claim(leaf+1, continued) {
		return 0, pageError(leaf, "one of the %d pages that continue it is in use elsewhere", continued)
	}
	return continued, nil
}

// appendFreelist writes the list behind the last page, and returns the number of the page that is the first beyond then.
func (c *pageChecker) appendFreelist(file *os.File, free []uint64) (high uint64, err error) {
	elements, count := len(free), uint16(longFreelist)
	if elements < longFreelist {
		count = uint16(elements)
	} else {
		elements++
	}
	pages := (pageHeaderLength + 8*elements + c.pageSize - 1) / c.pageSize
	start := int64(c.high) * int64(c.pageSize)
	out := bufio.NewWriterSize(io.NewOffsetWriter(file, start), 1<<16)
	header := make([]byte, 0, pageHeaderLength+8)
	header = native.AppendUint64(header, c.high)
	header = native.AppendUint16(header, pageFreelist)
	header = native.AppendUint16(header, count)
	header = native.AppendUint32(header, uint32(pages-1))
	if count == longFreelist {
		header = native.AppendUint64(header, uint64(len(free)))
	}
	_, err = out.Write(header)
	for i := 0; i < len(free) && err == nil; i++ {
		_, err = out.Write(native.AppendUint64(header[:0], free[i]))
	}
	if err == nil {
		_, err = out.Write(make([]byte, pages*c.pageSize-pageHeaderLength-8*elements))
	}
	if err == nil {
		err = out.Flush()
	}
	return c.high + uint64(pages), err
}

// writeMeta makes the list that of the file's newest state.
func (c *pageChecker) writeMeta(file *os.File, high uint64) error {
	page := make([]byte, c.pageSize)
	if _, err := file.ReadAt(page, int64(c.meta.txid%2)*int64(c.pageSize)); err != nil {
		return err
	}
	txid := c.meta.txid + 1
	native.PutUint64(page, txid%2)
	m := page[pageHeaderLength:]
	native.PutUint64(m[metaFreelist:], c.high)
	native.PutUint64(m[metaHigh:], high)
	native.PutUint64(m[metaTxid:], txid)
	sum := fnv.New64a()
	sum.Write(m[:metaChecksum])
	native.PutUint64(m[metaChecksum:], sum.Sum64())
	_, err := file.WriteAt(page, int64(txid%2)*int64(c.pageSize))
	return err
}

// markUnread notes that a leaf was claimed and not read.
func (c *pageChecker) markUnread(page uint64) {
	if c.unread == nil {
		c.unread = make([]uint64, len(c.seen))
	}
	c.unread[page/64] |= 1 << (page % 64)
}
