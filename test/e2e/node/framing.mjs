// A peer of transport/ipc whose every byte is node-ipc's: it sends back each packet that it gets, in the manner the packet asks for.
//
//	node framing.mjs serve|dial /folder/socket
//
// d.how of a packet: "emit", by node-ipc itself; "bytes", a write a byte; "halves", d.times of it in one stream, cut at every 1000th byte, be that within a character;
// "together", d.times of it in one write; "grown", once, with d.text d.times as long.
import { basename, dirname } from 'node:path';
import process from 'node:process';
import { setImmediate as turn } from 'node:timers/promises';
import nodeIPC from '@node-ipc/compat';

const [side, path] = process.argv.slice(2);
const type = '__DDOO__.MESSAGE';
const ipc = new nodeIPC.IPC();
Object.assign(ipc.config, { id: basename(path), appspace: '', socketRoot: `${dirname(path)}/`, silent: true, retry: 50 });

async function answer(packet, emit, socket) {
	const { how, times = 1 } = packet.d;
	if (how === 'emit') {
		emit(packet);
		return;
	}
	if (how === 'grown') {
		emit({ ...packet, d: { text: packet.d.text.repeat(times) } });
		return;
	}
	const bytes = Buffer.from(`${JSON.stringify({ type, data: packet })}\f`.repeat(times));
	const step = { bytes: 1, halves: 1000, together: bytes.length }[how];
	for (let at = 0; at < bytes.length; at += step) {
		socket.write(bytes.subarray(at, at + step));
		await turn(); // so that node does not join it with the next
	}
}

if (side === 'serve') {
	ipc.serve(() => ipc.server.on(type, (packet, socket) => answer(packet, (p) => ipc.server.emit(socket, type, p), socket)));
	ipc.server.start();
} else {
	const { id } = ipc.config;
	ipc.connectTo(id, path, () => {
		const peer = ipc.of[id];
		peer.on('connect', () => peer.emit(type, { op: 1, d: { id } }));
		peer.on(type, (packet) => answer(packet, (p) => peer.emit(type, p), peer.socket));
		peer.on('disconnect', () => process.exit(0));
	});
}
