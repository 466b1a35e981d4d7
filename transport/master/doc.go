// Package master is both ends of the websocket between CONTROL and MASTER (PROTOCOL A6, B1).
//
//	codec.go   frames ↔ messages.FromMaster, messages.FromControl
//	wire.go    where the bytes differ from the message: the token, shardRange, lists that are never null
//	check.go   what a packet's fields must hold
//	errors.go  what the codec says of frames it cannot take
//	link.go    transport.Link over an open websocket: its state, its reader
//	writer.go  its writer
//	ending.go  why it ended
//	dial.go    CONTROL's end of the handshake
//	listen.go  MASTER's end of it
//
// Links carry bytes and know no packet; the codec knows packets and no link.
package master
