// Package master holds both ends of the websocket between CONTROL and MASTER (PROTOCOL A6, B1).
//
//	codec.go   frames ↔ messages.FromMaster, messages.FromControl
//	wire.go    differences of bytes and message: the token, shardRange, lists that are never null
//	check.go   rules for the fields of a packet
//	errors.go  errors of the codec
//	link.go    transport.Link over an open websocket: its state, its reader
//	writer.go  its writer
//	ending.go  the reason of its end
//	dial.go    CONTROL's end of the handshake
//	listen.go  MASTER's end of it
//
// Links carry bytes and know no packet; the codec knows packets and no link.
package master
