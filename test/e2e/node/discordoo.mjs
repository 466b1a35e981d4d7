// A bot that is to CONTROL what a stock Discordoo (v0.11 and later) is, in WIRE A2–A4: its socket is node-ipc's, as Discordoo's is, and its numbers are @discordoo/providers'.
// Discordoo itself is in no registry. Its own pace is kept, 15 s between two shards; caches, evals and all else that CONTROL does not start are left out.
//
//	DISCORD_API=http://127.0.0.1:1234 SOCKET_ROOT=/folder/ node discordoo.mjs [old|imposter|stranger|shouts]
//
// SOCKET_ROOT: /tmp/ where it is not set. old: numbered as Discordoo was before v0.11 (WIRE A1). imposter: it answers HELLO as another instance. stranger: it takes another
// manager for its own. shouts: once it is connected it sends a packet of 9 MiB.
// A line it writes: "HELLO [0,1] of 4", "HELLO again" on another link, "CONNECTED", "resumed 1", "DESTROYING".
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import providers from '@discordoo/providers';
import nodeIPC from '@node-ipc/compat';
import WebSocket from 'ws';

const { GatewayOpCodes, IpcEvents, IpcOpCodes } = providers;
const { DISCORD_API: api, DISCORD_TOKEN: token, SHARDING_INSTANCE_IPC: instance, SHARDING_MANAGER_IPC: manager } = process.env;
const character = process.argv[2];
const heartbeatOp = 2; // of the older numbering; HELLO was 4
const type = '__DDOO__.MESSAGE';
const pace = 15_000;
const helloWait = 30_000;
const fatalCodes = [4004, 4010, 4011, 4012, 4013, 4014];

const say = (...words) => process.stdout.write(`${words.join(' ')}\n`);

// The gateway.

class Shard {
	constructor(id, count) {
		Object.assign(this, { id, count, seq: null, session: null, resumeURL: null });
	}

	// connect is done at the first READY, and fails for a fatal close code. All else is tried again, and nobody is told.
	async connect(url) {
		for (;;) {
			const code = await this.connection(url);
			if (code === 'ready') return;
			if (fatalCodes.includes(code)) throw this.refused(code);
			await sleep(1000);
		}
	}

	// connection is one connection, until READY or RESUMED, or its close code.
	connection(url) {
		const ws = new WebSocket(`${url}?v=10&encoding=json`);
		this.ws = ws;
		let beats;
		return new Promise((resolve) => {
			ws.on('error', () => {}); // a close follows
			ws.on('close', (code) => {
				clearInterval(beats);
				resolve(code);
				if (this.live === ws) this.again(code);
			});
			ws.on('message', (text) => {
				const { op, s, t, d } = JSON.parse(text);
				this.seq = s ?? this.seq;
				const beat = () => this.say(GatewayOpCodes.HEARTBEAT, this.seq);
				if (op === GatewayOpCodes.HELLO) {
					beats = setInterval(beat, d.heartbeat_interval);
					this.say(...(this.session ? this.resume() : this.identify()));
				} else if (op === GatewayOpCodes.HEARTBEAT) {
					beat();
				} else if (op === GatewayOpCodes.RECONNECT || op === GatewayOpCodes.INVALID_SESSION) {
					if (d === false) this.session = null;
					ws.close(4901, 'ddoo: reconnect with resume');
				} else if (t === 'READY' || t === 'RESUMED') {
					if (t === 'READY') [this.session, this.resumeURL] = [d.session_id, d.resume_gateway_url];
					else say('resumed', this.id);
					this.live = ws;
					resolve('ready');
				}
			});
		});
	}

	// again follows the end of a connection that was ready. A fatal close code ends the process, and the manager is not told.
	async again(code) {
		if (fatalCodes.includes(code)) throw this.refused(code);
		await this.connect(this.resumeURL);
	}

	identify() {
		const properties = { browser: 'Discordoo', device: 'Discordoo', os: process.platform };
		return [GatewayOpCodes.IDENTIFY, { token, intents: 98045, properties, presence: { status: 'online' }, compress: false, shard: [this.id, this.count] }];
	}

	resume() {
		return [GatewayOpCodes.RESUME, { token, session_id: this.session, seq: this.seq }];
	}

	say(op, d) {
		if (this.ws.readyState === WebSocket.OPEN) this.ws.send(JSON.stringify({ op, d }));
	}

	refused(code) {
		return new Error(`[WebSocketManager] Shard ${this.id} can not be connected because it received close code ${code} with reason refused`);
	}
}

async function gateway() {
	const answer = await fetch(`${api}/api/v10/gateway/bot`, { headers: { authorization: `Bot ${token}` } });
	if (answer.status === 401) throw Object.assign(new Error('[GatewayManager] Invalid token provided'), { name: 'ValidationError' });
	if (!answer.ok) throw new Error(`[GatewayManager] Get gateway request ended with error: ${await answer.text()}`);
	return (await answer.json()).url;
}

// The socket.

const ipc = new nodeIPC.IPC();
Object.assign(ipc.config, { id: instance, appspace: 'ddoo', socketRoot: process.env.SOCKET_ROOT ?? '/tmp/', silent: true });
const shards = [];
let managerSocket;

const tell = (op, t, d, socket = managerSocket) => ipc.server.emit(socket, type, { op, t, d });

function hello(d, socket) {
	if (d?.id !== manager || character === 'stranger') {
		tell(IpcOpCodes.INVALID_SESSION, undefined, { id: instance }, socket);
		return;
	}
	if (managerSocket && socket !== managerSocket) say('HELLO again');
	managerSocket = socket;
	tell(IpcOpCodes.IDENTIFY, undefined, { id: character === 'imposter' ? manager : instance, event_id: d.event_id });
	ipc.server.trigger('greeted', d);
}

function packet({ op, t, d }, socket) {
	if (character === 'old') {
		if (op === heartbeatOp) tell(heartbeatOp, undefined, { id: instance, event_id: d.event_id }, socket);
	} else if (op === IpcOpCodes.HELLO) {
		hello(d, socket);
	} else if (op === IpcOpCodes.DISPATCH && t === IpcEvents.DESTROYING) {
		say('DESTROYING');
		for (const shard of shards) {
			shard.live = null;
			shard.ws?.close(1000, 'ddoo: shutdown');
		}
		tell(op, t, d);
		ipc.server.stop();
		process.exit(0);
	}
}

async function start({ shards: ids, total_shards: count }) {
	say('HELLO', JSON.stringify(ids), 'of', count);
	const url = await gateway();
	for (const [i, id] of ids.entries()) {
		if (i > 0) await sleep(pace);
		shards.push(new Shard(id, count));
		await shards[i].connect(url);
	}
	say('CONNECTED');
	tell(IpcOpCodes.DISPATCH, IpcEvents.CONNECTED, { event_id: instance });
	if (character === 'shouts') tell(IpcOpCodes.DISPATCH, IpcEvents.MESSAGE, { event_id: instance, message: 'A'.repeat(9 << 20), shards: [0], from: 0 });
}

const impatience = setTimeout(() => {
	throw new Error('connection to sharding manager timed out.');
}, helloWait);
let starting = false;
ipc.serve(() => {
	ipc.server.on(type, packet);
	ipc.server.on('greeted', (d) => {
		if (starting) return;
		starting = true;
		clearTimeout(impatience);
		start(d).catch(({ name, message, stack }) => {
			tell(IpcOpCodes.ERROR, undefined, { event_id: instance, error: { name, message, stack } });
			setTimeout(() => process.exit(1), 80);
		});
	});
});
ipc.server.start();
