package dap

import (
	"fmt"
	"math"

	"golang.org/x/crypto/cryptobyte"
)

// ExtensionType is the type of a report extension (DAP Section 4.4.3). The
// standard defines none.
type ExtensionType uint16

// Extension is a report extension (DAP Section 4.4.3).
//
//	struct {
//	  ExtensionType extension_type;
//	  opaque extension_data<0..2^16-1>;
//	} Extension;
type Extension struct {
	Type ExtensionType
	Data []byte
}

// AggregationJobExtensionType is the type of an aggregation job extension (DAP
// Section 4.5.1).
type AggregationJobExtensionType uint16

// AggregationJobExtensionLeaderSelectedBatchID carries the batch ID of an
// aggregation job (DAP Section 5.2.2).
const AggregationJobExtensionLeaderSelectedBatchID AggregationJobExtensionType = 1

// AggregationJobExtension is an aggregation job extension (DAP Section 4.5.1).
//
//	struct {
//	  AggregationJobExtensionType extension_type;
//	  opaque extension_data<0..2^16-1>;
//	} AggregationJobExtension;
type AggregationJobExtension struct {
	Type AggregationJobExtensionType
	Data []byte
}

// CollectionJobExtensionType is the type of a collection job extension (DAP
// Section 4.6.2). The standard defines none.
type CollectionJobExtensionType uint16

// CollectionJobExtension is a collection job extension (DAP Section 4.6.2).
//
//	struct {
//	  CollectionJobExtensionType extension_type;
//	  opaque extension_data<0..2^16-1>;
//	} CollectionJobExtension;
type CollectionJobExtension struct {
	Type CollectionJobExtensionType
	Data []byte
}

// The four kinds of extension are one structure on the wire, with a type and
// data each; extensionList reads and writes lists of them.

func makeExtension(t uint16, data []byte) Extension { return Extension{ExtensionType(t), data} }
func splitExtension(e Extension) (uint16, []byte)   { return uint16(e.Type), e.Data }

func makeTaskExtension(t uint16, data []byte) TaskExtension {
	return TaskExtension{TaskExtensionType(t), data}
}
func splitTaskExtension(e TaskExtension) (uint16, []byte) { return uint16(e.Type), e.Data }

func makeAggregationJobExtension(t uint16, data []byte) AggregationJobExtension {
	return AggregationJobExtension{AggregationJobExtensionType(t), data}
}
func splitAggregationJobExtension(e AggregationJobExtension) (uint16, []byte) {
	return uint16(e.Type), e.Data
}

func makeCollectionJobExtension(t uint16, data []byte) CollectionJobExtension {
	return CollectionJobExtension{CollectionJobExtensionType(t), data}
}
func splitCollectionJobExtension(e CollectionJobExtension) (uint16, []byte) {
	return uint16(e.Type), e.Data
}

// readExtensions reads a list of extensions in any order:
// `E field<0..2^16-1>`. The result is nil when there are none.
func readExtensions[E any](s *cryptobyte.String, newE func(uint16, []byte) E, message, field string) ([]E, error) {
	list, err := readVector16(s, 0, message, field)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	count, err := countExtensions(list, message, field)
	if err != nil {
		return nil, err
	}
	extensions := make([]E, 0, count)
	for rest := cryptobyte.String(list); !rest.Empty(); {
		extensionType, data, err := readExtension(&rest)
		if err != nil {
			return nil, withinElement(err, message, field, len(extensions))
		}
		extensions = append(extensions, newE(extensionType, data))
	}
	return extensions, nil
}

// countExtensions counts the extensions in a list, so that it is allocated once.
func countExtensions(list cryptobyte.String, message, field string) (int, error) {
	count := 0
	for !list.Empty() {
		if _, _, err := readExtension(&list); err != nil {
			return 0, withinElement(err, message, field, count)
		}
		count++
	}
	return count, nil
}

// readExtension reads the type and the data of one extension of any kind.
func readExtension(s *cryptobyte.String) (uint16, []byte, error) {
	var extensionType uint16
	if !s.ReadUint16(&extensionType) {
		return 0, nil, truncated("Extension", "extension_type")
	}
	data, err := readVector16(s, 0, "Extension", "extension_data")
	return extensionType, data, err
}

// addExtensions writes a list of extensions in the order it has:
// `E field<0..2^16-1>`.
func addExtensions[E any](b *cryptobyte.Builder, extensions []E, split func(E) (uint16, []byte), message, field string) {
	length := 0
	for _, e := range extensions {
		_, data := split(e)
		if !checkVector(b, len(data), 0, math.MaxUint16, message, field+".extension_data") {
			return
		}
		length += 4 + len(data)
	}
	if !checkVector(b, length, 0, math.MaxUint16, message, field) {
		return
	}
	b.AddUint16(uint16(length))
	for _, e := range extensions {
		extensionType, data := split(e)
		b.AddUint16(extensionType)
		b.AddUint16(uint16(len(data)))
		b.AddBytes(data)
	}
}

// extensionsLength returns the length of the encoded list in bytes.
func extensionsLength(extensions []Extension) int {
	length := 2
	for _, e := range extensions {
		length += 4 + len(e.Data)
	}
	return length
}

// firstUnsorted returns the index of the first extension whose type is not
// greater than that of the extension before it, or -1.
func firstUnsorted[E any](extensions []E, split func(E) (uint16, []byte)) int {
	for i := 1; i < len(extensions); i++ {
		before, _ := split(extensions[i-1])
		after, _ := split(extensions[i])
		if after <= before {
			return i
		}
	}
	return -1
}

// CheckReportExtensions checks the extensions of a report as DAP Section
// 4.5.3.4 asks: every type is known, no type occurs twice among the public and
// the private ones, and the types of each list are strictly increasing. It
// returns 0 if all is well and ReportErrorInvalidMessage otherwise.
//
// The second result holds the unknown types in the order in which they occur,
// public ones first; a Leader that refuses an upload because of them names
// them in its unsupportedExtension error (DAP Section 4.4.2.2). A nil known
// means that none is known. For an upload, before anything is decrypted,
// private is nil.
func CheckReportExtensions(public, private []Extension, known func(ExtensionType) bool) (ReportError, []ExtensionType) {
	if len(public) == 0 && len(private) == 0 {
		return 0, nil
	}
	var unsupported []ExtensionType
	for _, list := range [][]Extension{public, private} {
		for _, e := range list {
			if known == nil || !known(e.Type) {
				unsupported = append(unsupported, e.Type)
			}
		}
	}
	if len(unsupported) > 0 ||
		firstUnsorted(public, splitExtension) >= 0 ||
		firstUnsorted(private, splitExtension) >= 0 ||
		haveCommonType(public, private) {
		return ReportErrorInvalidMessage, unsupported
	}
	return 0, nil
}

// haveCommonType tells whether a type occurs in both lists, each of which is
// strictly increasing.
func haveCommonType(a, b []Extension) bool {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].Type == b[0].Type:
			return true
		case a[0].Type < b[0].Type:
			a = a[1:]
		default:
			b = b[1:]
		}
	}
	return false
}

// CheckAggregationJobExtensions checks the extensions of an
// AggregationJobInitReq as DAP Section 4.5.3.2 asks. Its *Error is of type
// unsupportedExtension, with the code points, if a type is not known, and of
// type invalidMessage if the types are not strictly increasing. A nil known
// means that none is known.
func CheckAggregationJobExtensions(extensions []AggregationJobExtension, known func(AggregationJobExtensionType) bool) error {
	var unsupported []uint16
	for _, e := range extensions {
		if known == nil || !known(e.Type) {
			unsupported = append(unsupported, uint16(e.Type))
		}
	}
	return extensionsError("aggregation job", unsupported, firstUnsorted(extensions, splitAggregationJobExtension), ErrorTypeInvalidMessage)
}

// CheckCollectionJobExtensions checks the extensions of a CollectionJobReq as
// DAP Section 4.6.2 asks. Its *Error is of type unsupportedExtension, with the
// code points, if a type is not known, and of type invalidExtension if the
// types are not strictly increasing. A nil known means that none is known.
func CheckCollectionJobExtensions(extensions []CollectionJobExtension, known func(CollectionJobExtensionType) bool) error {
	var unsupported []uint16
	for _, e := range extensions {
		if known == nil || !known(e.Type) {
			unsupported = append(unsupported, uint16(e.Type))
		}
	}
	return extensionsError("collection job", unsupported, firstUnsorted(extensions, splitCollectionJobExtension), ErrorTypeInvalidExtension)
}

func extensionsError(kind string, unsupported []uint16, unsorted int, order ErrorType) error {
	if len(unsupported) > 0 {
		return &Error{
			Type:                  ErrorTypeUnsupportedExtension,
			Detail:                fmt.Sprintf("%d extensions of the %s are not supported", len(unsupported), kind),
			UnsupportedExtensions: unsupported,
		}
	}
	if unsorted >= 0 {
		return &Error{
			Type:   order,
			Detail: fmt.Sprintf("extension %d of the %s does not have a greater type than the one before it", unsorted, kind),
		}
	}
	return nil
}
