// Connects a Node process to the gateway host of its cluster: TLS connections to Discord's API and gateway go there instead, in plain text over loopback.
// CONTROL writes this file and loads it by NODE_OPTIONS.
const net = require('node:net'), tls = require('node:tls');
const to = process.env.CONTROL_GATEWAY && new URL(process.env.CONTROL_GATEWAY);
const discord = /^(?:(?:canary\.|ptb\.)?discord(?:app)?\.com|gateway[a-z0-9-]*\.discord\.gg)$/;
const connect = tls.connect;
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
