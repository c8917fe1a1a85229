package op

import "errors"

// Errors that a device reports; callers compare with errors.Is.
var (
	// ErrOutOfMemory: the device could not allocate a buffer.
	ErrOutOfMemory = errors.New("out of device memory")
	// ErrDeviceLost: the device stopped answering; its executables are gone.
	ErrDeviceLost = errors.New("device lost")
	// ErrNotSupported: the device cannot run this op, format or shape.
	ErrNotSupported = errors.New("not supported by this device")
	// ErrFileCutShort: a mapped weight file lost bytes while it was in use.
	ErrFileCutShort = errors.New("the file was cut short while it was in use; restore it and start again")
)
