// Package ipc carries packets between CONTROL and one cluster process over a unix stream socket, in
// Discordoo's framing and numbering (PROTOCOL A1–A4, B2).
//
// The cluster process listens, CONTROL dials. Both ends are in this package, so that a Go bot
// (transport/bot) and CONTROL cannot disagree:
//
//	Dial, Listen                               the socket: a transport.Link of whole frames
//	DecodeFromInstance, EncodeFromManager      CONTROL's side of the codec
//	DecodeFromManager, EncodeFromInstance      the cluster process's side
//
//	Parcel, Reply, Merge                       operations between clusters, which CONTROL never decodes
//
// A frame is the text {"type":"__DDOO__.MESSAGE","data":{"op":int,"t"?:string,"d"?:any}}. On the
// socket each is followed by one byte 0x0C, which the Link adds and removes.
package ipc
