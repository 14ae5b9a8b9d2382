package store

import (
	"bytes"
	"encoding/binary"
)

// bbolt puts whole entries on pages of a few kilobytes, and gives an entry that is longer than one a run of
// pages. So a report's body of two thirds of a page leaves a third of each page empty, and a list of many pages finds no
// run of free ones in a file that has been used for a while. Such values are cut into pieces.
//
// A value of one piece stands under its key; one of several pieces under the key with the
// number of the piece after it, from 0 on:
//
//	struct {
//	  opaque key[K];          // of the same length throughout a bucket
//	  uint16 piece;           // the last one's has lastPiece set
//	} pieceKey;
//
// So no piece can be missing without being missed. Before version 3 all values were of one piece.
const lastPiece = 1 << 15

const pieceNumberLength = 2

// What bbolt's pages take besides the keys and values: see pageChecker.
const (
	// bbolt leaves up to so many entries together, even if they need a run of pages for it.
	entriesTogether = 4
	// A page has at least two entries, or is one of a run.
	leastEntries = 2
)

// maxBodyPieces bounds the pieces of a body: a longer one wastes little of its pages as it is.
const maxBodyPieces = 8

// bodyPieces is into how many pieces a body of that length is cut, beside others like it: the
// fewest with which at most an eighth of the pages is wasted; where there is no such number, the one that wastes least.
func bodyPieces(length, pageSize int) int {
	best, bestCost := 1, pagesCost(length, 1, pageSize)
	for n := 2; n <= min(maxBodyPieces, length) && bestCost > length+length/8; n++ {
		if cost := pagesCost(length, n, pageSize); cost < bestCost {
			best, bestCost = n, cost
		}
	}
	return best
}

// pagesCost is how many bytes of full pages a value takes that is cut into n pieces.
func pagesCost(length, n, pageSize int) int {
	entry := (length+n-1)/n + 8 + pieceNumberLength + pageElementLength
	if perPage := (pageSize - pageHeaderLength) / entry; perPage >= leastEntries {
		return n * pageSize / perPage
	}
	run := (pageHeaderLength + leastEntries*entry + pageSize - 1) / pageSize
	return n * run * pageSize / leastEntries
}

// listPieces is into how many pieces a list is cut, so that it never needs a run of pages.
func listPieces(length, keyLength, pageSize int) int {
	longest := (pageSize-pageHeaderLength)/entriesTogether - pageElementLength - keyLength - pieceNumberLength
	return max(1, (length+longest-1)/longest)
}

func (b bucket) pageSize() int { return b.b.Tx().DB().Info().PageSize }

// putPieces stores a value, of which nothing may be there, in n pieces of about the same length. The value must not
// change until the transaction has ended.
func (b bucket) putPieces(key, value []byte, n int) error {
	if n <= 1 {
		return b.put(key, value)
	}
	for i := range n {
		if err := b.put(pieceKey(key, i, n), value[i*len(value)/n:(i+1)*len(value)/n]); err != nil {
			return err
		}
	}
	return nil
}

// getPieces returns a copy of a value, nil if there is none. An error: some of its pieces are missing.
func (b bucket) getPieces(key []byte) ([]byte, error) {
	var room [maxBodyPieces][]byte
	pieces, err := b.pieces(key, room[:0])
	if err != nil || len(pieces) == 0 {
		return nil, err
	}
	length := 0
	for _, piece := range pieces {
		length += len(piece)
	}
	value := make([]byte, 0, length)
	for _, piece := range pieces {
		value = append(value, piece...)
	}
	return value, nil
}

// hasPieces tells whether there is a value, or a part of one.
func (b bucket) hasPieces(key []byte) bool {
	_, found, _ := b.seek(key)
	return bytes.HasPrefix(found, key)
}

// deletePieces deletes a value, if there is one. An error: some of its pieces are missing.
func (b bucket) deletePieces(key []byte) error {
	_, err := b.takePieces(key)
	return err
}

// takePieces is deletePieces that tells whether there was a value.
func (b bucket) takePieces(key []byte) (there bool, err error) {
	var order pieceOrder
	for {
		cursor, found, _ := b.seek(key) // what is left of it
		switch {
		case !bytes.HasPrefix(found, key) && order.complete():
			return false, nil
		case !bytes.HasPrefix(found, key) || !order.follows(found, len(key)):
			return false, b.damaged(key, "piece %d of it is missing", order.next)
		}
		b.t.writes++
		if err := cursor.Delete(); err != nil || order.complete() {
			return true, err
		}
	}
}

// pieces appends the pieces of a value to room; none if there is no value.
func (b bucket) pieces(key []byte, room [][]byte) (pieces [][]byte, err error) {
	cursor, found, piece := b.seek(key)
	if !bytes.HasPrefix(found, key) {
		return nil, nil
	}
	var order pieceOrder
	for ; bytes.HasPrefix(found, key); found, piece = cursor.Next() {
		if !order.follows(found, len(key)) {
			break
		}
		if room = append(room, piece); order.complete() {
			return room, nil
		}
	}
	return nil, b.damaged(key, "piece %d of it is missing", order.next)
}

// pieceKey is the key of piece i of n.
func pieceKey(key []byte, i, n int) []byte {
	number := uint16(i)
	if i == n-1 {
		number |= lastPiece
	}
	return binary.BigEndian.AppendUint16(append(make([]byte, 0, len(key)+pieceNumberLength), key...), number)
}

// pieceOrder goes through the keys of a bucket and finds missing pieces.
type pieceOrder struct {
	key  []byte // of the value that is not complete; nil between two values
	next int    // the number of its next piece
}

// follows tells whether a key, of values with keys of so many bytes, may come next.
func (o *pieceOrder) follows(found []byte, keyLength int) bool {
	if len(found) == keyLength {
		return o.complete()
	}
	if len(found) != keyLength+pieceNumberLength || !o.complete() && !bytes.Equal(found[:keyLength], o.key) {
		return false
	}
	number := binary.BigEndian.Uint16(found[keyLength:])
	if int(number&^lastPiece) != o.next {
		return false
	}
	o.key, o.next = found[:keyLength], o.next+1
	if number&lastPiece != 0 {
		*o = pieceOrder{}
	}
	return true
}

// complete tells whether no piece is to come.
func (o *pieceOrder) complete() bool { return o.key == nil }
