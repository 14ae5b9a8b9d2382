// Package handlers feeds the HTTP handlers of a Leader and of a Helper, each with
// its engine and its database, with requests that real peers could send, changed
// field by field and byte by byte. It holds fuzz targets only.
package handlers
