// The table of clusters: for each a line of figures, and a line with a tile for each shard. Only
// changes are written, and only what is in sight is laid out: ten thousand tiles are cheap.
import { Slices } from "./slices.js";
import { bytesText, cellsFor, clusterState, columnsOf, el, latencyText, rangeText, rateText, setText, shardStates, span } from "./words.js";

export const denseFrom = 1000; // tiles: from here on they show a mark only, and figures are not asked for
const cpuOver = 4000; // ms of the process over which a share of CPU is measured
const shown = ["states", "latency_ms", "events_per_second", "events_waiting_ms"];

// Cluster is one cluster's part of the table, a tbody.
class Cluster {
	constructor(id, columns) {
		this.id = id;
		this.cells = cellsFor(columns);
		this.death = el("button", { className: "death", value: id, hidden: true });
		this.cells.at(-1).append(this.death);
		this.tiles = [];
		this.field = el("div", { className: "tiles", role: "group", ariaLabel: `Shards of cluster ${id}` });
		this.body = el("tbody", { role: "rowgroup" },
			el("tr", { role: "row" }, ...this.cells),
			el("tr", { role: "row" }, el("td", { role: "cell", colSpan: columns.length }, this.field)));
	}

	show(c, at, dense) {
		const [first, last] = c.shards;
		if (this.tiles.length !== last - first + 1 || this.first !== first) this.lay(first, last);
		const [kind, state] = clusterState(c);
		const well = kind === "good" && c.shards_ready === this.tiles.length;
		const shards = rangeText(c.shards) + (c.assumed ? ", assumed ready" : c.waits_for ? ", " + c.waits_for : well ? "" : `, ${c.shards_ready} ready`);
		const figures = [String(c.cluster), state, shards, String(c.pid ?? ""), c.uptime_ms ? span(c.uptime_ms) : "", this.cpu(c), c.resident_bytes ? bytesText(c.resident_bytes) : "", String(c.restarts)];
		figures.forEach((text, i) => setText(this.cells[i], text));
		this.cells[1].className = kind;
		const m = c.host_memory;
		if (m) this.cells[6].title = `guilds ${bytesText(m.guilds_bytes)}, events ${bytesText(m.events_bytes)} of ${bytesText(m.events_max_bytes)}`;
		const d = c.last_death;
		this.death.hidden = !d;
		if (d) setText(this.death, `${d.exit ?? d.cause}, ${span(at - Date.parse(d.at))} ago`);
		this.body.classList.toggle("well", well);
		const all = dense !== this.dense || `${c.deaf}` !== `${this.view?.deaf}`;
		this.tiles.forEach((tile, i) => {
			const moved = (f) => c[f]?.[i] !== this.view?.[f]?.[i];
			if (moved("states")) this.turn(tile, c.states[i]);
			if (all || shown.some(moved)) this.figure(tile, i, c, dense);
		});
		this.view = c;
		this.dense = dense;
	}

	lay(first, last) {
		this.first = first;
		this.view = undefined;
		this.tiles = Array.from({ length: last - first + 1 }, (_, i) => el("button", { value: first + i, tabIndex: -1 }));
		this.field.replaceChildren(...this.tiles);
	}

	turn(tile, letter) {
		const [, mark, kind] = shardStates[letter] ?? shardStates["."];
		tile.className = kind;
		tile.dataset.mark = mark;
	}

	figure(tile, i, c, dense) {
		const latency = latencyText(c.latency_ms?.[i]), rate = rateText(c.events_per_second?.[i]), n = c.events_waiting?.[i];
		const [state] = shardStates[c.states[i]] ?? shardStates["."];
		tile.title = [`Shard ${tile.value}: ${state}`, latency, rate && `${c.events_per_second[i]} events/s`,
			n > 0 && `${n} wait ${span(c.events_waiting_ms[i])}`, c.deaf?.includes(+tile.value) && "deaf"].filter(Boolean).join(", ");
		if (!dense) tile.dataset.figures = ` ${tile.value}\n${latency || "–"}\n${rate || "–"}`;
	}

	// cpu returns the share of one processor since a moment ago; at first, since the process started.
	cpu(c) {
		if (c.cpu_ms === undefined && !c.uptime_ms) return "";
		const now = { pid: c.pid, up: c.uptime_ms ?? 0, used: c.cpu_ms ?? 0 };
		if (this.used?.pid !== c.pid) this.used = { pid: c.pid, up: 0, used: 0 };
		if (now.up - this.used.up >= cpuOver || !this.share) {
			this.share = `${Math.round((100 * (now.used - this.used.used)) / Math.max(now.up - this.used.up, 1))} %`;
			this.used = now;
		}
		return this.share;
	}
}

// Clusters is the table. choose is called with the shard of a pressed tile, explain with the cluster
// of a pressed last exit.
export class Clusters {
	constructor(table, choose, explain) {
		this.table = table;
		this.columns = columnsOf(table);
		this.byID = new Map();
		this.slices = new Slices((clusters, i) => this.one(clusters, i));
		table.addEventListener("click", ({ target }) => {
			if (target.className === "death") explain(Number(target.value));
			else if (target.parentElement.className === "tiles") choose(Number(target.value));
		});
		table.addEventListener("keydown", (e) => this.key(e));
		table.addEventListener("focusin", ({ target }) => {
			if (target.parentElement.className === "tiles") this.rove(target);
		});
	}

	show(view) {
		[this.at, this.dense] = [Date.parse(view.at), view.machine.shards >= denseFrom];
		this.table.classList.toggle("dense", this.dense);
		const ids = new Set(view.clusters.map((c) => c.cluster));
		for (const [id, one] of this.byID) {
			if (ids.has(id)) continue;
			one.body.remove();
			this.byID.delete(id);
		}
		this.slices.show(view.clusters);
		if (!this.current?.isConnected) this.rove(this.table.querySelector(".tiles button"));
	}

	// one shows one cluster, after the nearest previous one in the table.
	one(clusters, i) {
		const c = clusters[i];
		let one = this.byID.get(c.cluster);
		if (!one) this.byID.set(c.cluster, (one = new Cluster(c.cluster, this.columns)));
		one.show(c, this.at, this.dense);
		let before = i - 1;
		while (before >= 0 && !this.byID.has(clusters[before].cluster)) before--;
		const place = before < 0 ? this.table.tHead : this.byID.get(clusters[before].cluster).body;
		if (place.nextElementSibling !== one.body) place.after(one.body);
	}

	// rove makes a tile the target of the Tab key.
	rove(tile) {
		if (this.current) this.current.tabIndex = -1;
		this.current = tile;
		if (tile) tile.tabIndex = 0;
	}

	// tile returns the tile of a shard; undefined if this machine does not have it.
	tile(shard) {
		for (const c of this.byID.values()) {
			if (c.tiles[shard - c.first]) return c.tiles[shard - c.first];
		}
	}

	key(e) {
		const tile = e.target, field = tile.parentElement;
		if (field.className !== "tiles" || e.altKey || e.ctrlKey || e.metaKey) return;
		const to = step(tile, [...field.children], e.key, (way) => this.neighbour(field.closest("tbody"), way));
		if (!to) return;
		e.preventDefault();
		to.focus();
	}

	// neighbour returns the tiles of the next visible cluster in a direction.
	neighbour(body, way) {
		do body = body[way];
		while (body && (body.tagName !== "TBODY" || !body.checkVisibility()));
		return body ? [...body.querySelectorAll(".tiles button")] : [];
	}
}

// step returns the target of a key. Up and down keep their column, from cluster to cluster.
function step(tile, tiles, key, neighbour) {
	const at = tiles.indexOf(tile), wide = tiles.filter((t) => t.offsetTop === tiles[0].offsetTop).length, column = at % wide;
	const before = () => neighbour("previousElementSibling"), after = () => neighbour("nextElementSibling");
	switch (key) {
		case "ArrowRight": return tiles[at + 1] ?? after()[0];
		case "ArrowLeft": return tiles[at - 1] ?? before().at(-1);
		case "Home": return tiles[0];
		case "End": return tiles.at(-1);
		case "PageDown": return after()[0];
		case "PageUp": return before()[0];
		case "ArrowDown": {
			if (tiles[at + wide]) return tiles[at + wide];
			const next = after();
			return next[Math.min(column, next.length - 1)];
		}
		case "ArrowUp": {
			if (tiles[at - wide]) return tiles[at - wide];
			const next = before(), lines = Math.floor((next.length - 1) / wide);
			return next[Math.min(lines * wide + column, next.length - 1)];
		}
	}
}
