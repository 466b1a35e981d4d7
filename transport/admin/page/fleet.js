// The page of a MASTER: the answer of GET api/v1/fleet, a line for each machine.
import { live } from "./live.js";
import { $, cellsFor, columnsOf, count, el, facts, marks, rangeText, setText, span } from "./words.js";
import { whereis } from "./whereis.js";

const columns = columnsOf($("machines"));
const lines = new Map(); // by machine: the tbody and its cells

function show(v) {
	const away = v.machines.filter((m) => !m.linked), lost = away.filter((m) => m.state === "lost"), waited = away.filter((m) => m.state !== "lost"), failed = v.machines.reduce((n, m) => n + m.clusters.failed, 0);
	const ills = [v.halted && "halted: Discord refuses the token or its intents", v.state !== "serving" && `MASTER is ${v.state}`, failed && `${count(failed, "cluster has", "clusters have")} failed`,
		waited.length && `no link to ${waited.map((m) => m.source).join(", ")}`, lost.length && `lost ${lost.map((m) => m.source).join(", ")}`, v.shards_ready < v.shard_count && "not every shard is ready"].filter(Boolean);
	setText($("name"), "fleet");
	document.title = `${v.shards_ready}/${v.shard_count} – CONTROL fleet`;
	setText($("summary"), `${ills.length ? "!" : "✓"} ${[`${count(v.machines.length - away.length, "machine is", "machines are")} linked`, ...ills].join("; ")}`);
	$("summary").className = v.halted || failed || away.length ? "bad" : ills.length ? "busy" : "good";
	setText($("ready"), `${v.shards_ready.toLocaleString()} of ${count(v.shard_count, "shard")} ready`);
	facts($("fleet"), [["MASTER", v.state], ["Up", span(Date.parse(v.at) - Date.parse(v.started))], ["Epoch", String(v.epoch)],
		["Identifies at once", String(v.max_concurrency || "")], ["Shards a cluster", String(v.shards_per_cluster || "")],
		["Identifies left", v.identify_budget ? `${v.identify_budget.remaining.toLocaleString()} of ${v.identify_budget.total.toLocaleString()}` : ""]]);
	for (const [source, { body }] of lines) {
		if (v.machines.some((m) => m.source === source)) continue;
		body.remove();
		lines.delete(source);
	}
	v.machines.forEach((m, i) => line(m, i));
}

function line(m, i) {
	if (!lines.has(m.source)) {
		const cells = cellsFor(columns);
		lines.set(m.source, { cells, body: el("tbody", { role: "rowgroup" }, el("tr", { role: "row" }, ...cells)) });
	}
	const { body, cells } = lines.get(m.source);
	const [kind, state] = m.state === "lost" ? ["bad", "lost"] : !m.linked ? ["bad", "no link"] : m.drained ? ["off", "drained"] : m.spare ? ["off", "spare"] : ["good", "linked"];
	const granted = m.granted.reduce((n, [first, last]) => n + last - first + 1, 0);
	const ranges = m.granted.map((range) => [rangeText(range), m.ranges.find((r) => r.range[0] === range[0])?.state].filter(Boolean).join(" "));
	const { serving, starting, failed } = m.clusters;
	[m.source, `${marks[kind]} ${state}`, m.host, ranges.join(", "), `${m.shards_ready.toLocaleString()} of ${granted.toLocaleString()}`,
		[serving && `${serving} serve`, starting && `${starting} on the way`, failed && `${failed} failed`].filter(Boolean).join(", ")].forEach((text, at) => setText(cells[at], text));
	cells[1].className = kind;
	const place = $("machines").tBodies[i];
	if (place !== body) $("machines").insertBefore(body, place ?? null);
}

live(() => "fleet", show);
whereis(() => {});
