// Texts of states and figures, and DOM helpers: data becomes text, never markup.

// Shard states by their letter in ClusterView.states: name, mark, and kind, which is the colour.
export const shardStates = {
	R: ["ready", "✓", "good"],
	r: ["resuming", "r", "busy"],
	i: ["identifying", "i", "busy"],
	c: ["connecting", "c", "busy"],
	w: ["waiting for a permit", "w", "busy"],
	d: ["disconnected", "!", "bad"],
	f: ["failed", "✕", "bad"],
	".": ["idle or not known", "·", "off"],
};

export const marks = { good: "✓", busy: "…", bad: "✕", off: "–" };

const clusterKinds = { serving: "good", failed: "bad", detached: "bad", waiting: "bad", killing: "bad", stopped: "off" };
// clusterState returns a cluster's state as [kind, text].
export function clusterState(c) {
	const kind = clusterKinds[c.state] ?? "busy";
	return [kind, `${marks[kind]} ${c.state}`];
}

export const latencyText = (ms) => (ms > 0 ? `${ms} ms` : "");
export const rateText = (rate) => (rate >= 0 ? `${rate}/s` : "");

// span returns a duration in its two largest units.
export function span(ms) {
	const s = Math.max(0, Math.floor(ms / 1000));
	for (const [unit, size, lesser, part] of [["d", 86400, "h", 3600], ["h", 3600, "min", 60], ["min", 60, "s", 1]]) {
		if (s >= size) return `${Math.floor(s / size)} ${unit} ${Math.floor((s % size) / part)} ${lesser}`;
	}
	return `${s} s`;
}

export const bytesText = (n = 0) => `${Math.round(n / 1e6)} MB`;
export const clock = (at) => new Date(at).toLocaleTimeString();
export const count = (n, one, many = `${one}s`) => `${n.toLocaleString()} ${n === 1 ? one : many}`;

export const rangeText = ([first, last]) => (first === last ? `${first}` : `${first}–${last}`);

export const $ = (id) => document.getElementById(id);

// el makes an element; its children are elements and texts.
export function el(tag, properties = {}, ...children) {
	const e = Object.assign(document.createElement(tag), properties);
	e.append(...children);
	return e;
}

// setText changes a text only if it differs: then unchanged text costs nothing and keeps a selection.
export function setText(e, text) {
	if (e.textContent !== text) e.textContent = text;
}

// facts fills a dl with [name, text] pairs; pairs without text are left out.
export function facts(dl, pairs) {
	pairs = pairs.filter(([, text]) => text);
	const have = dl.children;
	if (have.length !== pairs.length) dl.replaceChildren(...pairs.map(() => el("div", {}, el("dt"), el("dd"))));
	pairs.forEach(([name, text], i) => {
		setText(have[i].firstChild, name);
		setText(have[i].lastChild, text);
	});
	return dl;
}

// columnsOf returns the names of a table's columns, cellsFor a line of cells.
export const columnsOf = (table) => Array.from(table.tHead.rows[0].cells, (cell) => cell.textContent);

export const cellsFor = (columns) => columns.map((label, i) => {
	const cell = i === 0 ? el("th", { role: "rowheader", scope: "row" }) : el("td", { role: "cell" });
	cell.dataset.label = label;
	return cell;
});
