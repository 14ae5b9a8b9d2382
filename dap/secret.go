package dap

// A secret holds a value where printing does not reach it. Package fmt follows
// pointers, for some verbs even those in unexported fields of other types,
// where no Format method is called; of a function it prints the address.
type secret[T any] func() T

// hide returns the secret with that value.
func hide[T any](value T) secret[T] { return func() T { return value } }
