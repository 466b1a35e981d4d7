// Commands of a bot by a unix socket, E2E_ORDERS, in place of people: a line of JSON each, {n,
// command}, and its answer {n, value} or {n, error}.
import { connect } from 'node:net';
import process from 'node:process';
import { createInterface } from 'node:readline';

export async function obey(who, commands, client) {
	const orders = connect(process.env.E2E_ORDERS);
	process.once('SIGTERM', async () => { // it exits once there is nothing left to do
		await client.destroy();
		orders.destroy();
	});
	const say = (what) => orders.write(`${JSON.stringify(what)}\n`);
	say({ who, pid: process.pid });
	for await (const line of createInterface({ input: orders })) {
		const { n, command } = JSON.parse(line);
		Promise.resolve()
			.then(() => commands[command]())
			.then((value) => say({ n, value }), ({ name, message, stack }) => say({ n, error: { name, message, stack: typeof stack } }));
	}
}

export const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
