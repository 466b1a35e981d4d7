// Updates of a page. It shows one answer of the API and nothing else; the stream of events triggers
// the next request, and fills the list of events.
import { Events } from "./events.js";
import { $, clock, setText } from "./words.js";

const lookEvery = 5000; // ms; figures change all the time, without an event
const lookApart = 1000; // ms; the minimum between two requests
const gather = 50; // ms; events at the same time are shown together
const againAfter = 5000; // ms; after a refused stream
const answerWithin = 10000;

const events = new Events($("events"));
let path, show; // the requested path, and the function that shows the answer

// live starts the updates. path returns what is asked for at the moment.
export function live(what, shown) {
	[path, show] = [what, shown];
	look();
	follow();
}

// A password in the address, as in http://:token@host/, is removed: fetch refuses such addresses.
const address = (path) => new URL(`api/v1/${path}`, location.origin + location.pathname);

export const get = async (path) => (await ask(path, {})).body;

async function ask(path, headers) {
	const answer = await fetch(address(path), { headers, signal: AbortSignal.timeout(answerWithin) });
	if (answer.status === 304) return { answer };
	const body = await answer.json().catch(() => ({}));
	if (!answer.ok) throw new Error(body.error?.message ?? `HTTP ${answer.status}`);
	return { answer, body };
}

// view asks for what is shown. An answer that is the last one but for its time comes without a body.
let last = {};
async function view() {
	const asked = path();
	const { answer, body } = await ask(asked, last.asked === asked && last.tag ? { "If-None-Match": last.tag } : {});
	if (body) last = { asked, body, tag: answer.headers.get("ETag") };
	else last.body.at = new Date(answer.headers.get("Date")).toISOString();
	return last.body;
}

// The problems of view and stream; the page is live without any.
const trouble = new Map([["view", "asking"], ["stream", "connecting"]]);
let since = new Date();

function hinders(what, why) {
	if (!trouble.size && why) since = new Date();
	if (why) trouble.set(what, why);
	else trouble.delete(what);
	setText($("live"), trouble.size ? `✕ not live since ${clock(since)}: ${[...trouble.values()].join("; ")}` : "● live");
	$("live").className = trouble.size ? "bad" : "";
}

// The next request: the earliest of those scheduled, one at a time.
let timer, due, began = -Infinity, looking = false, stirred = false;

function lookIn(ms) {
	const at = performance.now() + ms;
	if (timer && due <= at) return;
	clearTimeout(timer);
	due = at;
	timer = setTimeout(look, ms);
}

async function look() {
	timer = undefined;
	if (document.hidden) return; // visibilitychange
	began = performance.now();
	[looking, stirred] = [true, false];
	try {
		const came = await view();
		requestAnimationFrame(() => show(came));
		hinders("view", "");
	} catch (e) {
		hinders("view", `CONTROL does not answer (${e.message})`);
	}
	looking = false;
	if (stirred) stir();
	else lookIn(lookEvery);
}

// stir schedules a request, since something happened.
function stir() {
	if (looking) stirred = true;
	else lookIn(Math.max(gather, began + lookApart - performance.now()));
}

document.addEventListener("visibilitychange", () => document.hidden || stir());

// follow streams events, the kept ones first. A browser reconnects unless it was refused.
async function follow() {
	let stream;
	try {
		const kept = await get("events");
		events.fill(kept.events);
		stream = new EventSource(address(`events?level=debug&after=${kept.last_event}`));
	} catch (e) {
		hinders("stream", `no events (${e.message})`);
		setTimeout(follow, againAfter);
		return;
	}
	const reconnect = (wait) => {
		stream.close();
		setTimeout(follow, wait);
	};
	stream.onopen = () => {
		hinders("stream", "");
		stir();
	};
	stream.onmessage = ({ data }) => {
		const event = JSON.parse(data);
		if (event.level !== "debug") events.add(event);
		stir();
	};
	stream.addEventListener("gap", () => reconnect(0));
	stream.onerror = () => {
		hinders("stream", "no events");
		if (stream.readyState === EventSource.CLOSED) reconnect(againAfter);
	};
}
