// Connects a Node process to the gateway host of its cluster: TLS connections to Discord's API and
// gateway go there instead, in plain text over loopback. While no host listens there, as the next
// one starts, a connection waits: most libraries would forget their sessions, or fail a request.
// CONTROL writes this file and loads it by NODE_OPTIONS.
const net = require('node:net'), tls = require('node:tls');
const to = process.env.CONTROL_GATEWAY && new URL(process.env.CONTROL_GATEWAY);
const discord = /^(?:(?:canary\.|ptb\.)?discord(?:app)?\.com|gateway[a-z0-9-]*\.discord\.gg)$/;
const connect = tls.connect, dial = net.Socket.prototype.connect, patience = 30_000, pause = 100;
// lookup answers like dns.lookup, once the host listens or patience has passed.
const lookup = (_name, options, done) => {
	const until = Date.now() + patience;
	const answer = () => (options.all ? done(null, [{ address: to.hostname, family: 4 }]) : done(null, to.hostname, 4));
	const probe = () => {
		const socket = new net.Socket();
		socket.once('connect', () => { socket.destroy(); answer(); });
		socket.once('error', (error) => (error.code === 'ECONNREFUSED' && Date.now() < until ? setTimeout(probe, pause) : answer()));
		dial.call(socket, { port: Number(to.port), host: to.hostname });
	};
	probe();
};
if (to) net.Socket.prototype.connect = function (...args) {
	const normalized = Array.isArray(args[0]) ? args[0] : args; // as net.connect passes them
	const options = normalized[0];
	if (options?.host === to.hostname && Number(options.port) === Number(to.port)) normalized[0] = { ...options, host: 'localhost', lookup };
	return dial.apply(this, args);
};
if (to) tls.connect = function (...args) {
	const options = typeof args[0] === 'object' ? args[0] : {};
	const host = options.servername || options.host || (typeof args[1] === 'string' ? args[1] : '');
	if (!discord.test(host)) return connect.apply(this, args);
	const socket = net.connect({ port: Number(to.port), host: to.hostname });
	Object.assign(socket, {
		encrypted: true, authorized: true, alpnProtocol: false,
		getPeerCertificate: () => ({}), getSession: () => undefined, isSessionReused: () => false, setServername: () => {},
	});
	socket.once('connect', () => socket.emit('secureConnect'));
	const done = args.at(-1);
	if (typeof done === 'function') socket.once('secureConnect', done);
	return socket;
};
