// Package daphttp holds what every HTTP participant of DAP needs, whichever
// its role (DAP Section 3): aggregator endpoints and the URLs below them,
// Location and Retry-After headers, problem documents, and bodies that are
// read up to a limit. It sends and serves nothing itself.
package daphttp
