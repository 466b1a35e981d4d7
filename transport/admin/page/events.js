// The list of events, the last one first.
import { clock, el } from "./words.js";

const eventsMax = 200; // in the list
const marks = { debug: "·", info: "i", warn: "!", error: "✕" };

export class Events {
	constructor(list) {
		this.list = list;
		this.coming = [];
	}

	// add prepends an event, with the next frame.
	add(event) {
		if (this.coming.push(event) === 1) requestAnimationFrame(() => this.flush());
		else if (this.coming.length > eventsMax) this.coming.shift();
	}

	// fill replaces the list.
	fill(events) {
		this.coming = [];
		this.list.replaceChildren(...events.slice(-eventsMax).reverse().map(line));
	}

	flush() {
		this.list.prepend(...this.coming.reverse().map(line));
		this.coming = [];
		while (this.list.childElementCount > eventsMax) this.list.lastElementChild.remove();
	}
}

// line returns one event: its fields unchanged, long ones in a part that opens.
function line(event) {
	const { id, event: name, at, machine, level, causes, output, ...rest } = event;
	const words = Object.entries(rest).map(([key, value]) => `${key}=${typeof value === "object" ? JSON.stringify(value) : value}`);
	const li = el("li", { className: level }, el("time", { dateTime: at, title: at }, clock(at)), el("span", {}, `${marks[level]} ${level}`), el("b", {}, name), el("span", {}, words.join("  ")));
	if (causes || output) li.append(el("details", {}, el("summary", {}, "why"), ...why({ causes, output })));
	return li;
}

// why returns the reasons why CONTROL gave up a cluster: each attempt, and its last output.
export function why({ causes = [], output }) {
	const parts = [el("ol", {}, ...causes.map((cause) => el("li", {}, cause)))];
	if (output) parts.push(el("pre", {}, output));
	return parts;
}
