// The page of a machine: the answer of GET api/v1/machine.
import { Clusters, denseFrom } from "./clusters.js";
import { why } from "./events.js";
import { get, live } from "./live.js";
import { $, count, el, facts, latencyText, rateText, setText, shardStates, span } from "./words.js";
import { whereis } from "./whereis.js";

const clusters = new Clusters($("clusters"), showShard, showCluster);
let view; // the last answer

function show(came) {
	view = came;
	const m = view.machine, n = m.clusters, stuck = view.clusters.find((c) => c.stuck)?.stuck, at = Date.parse(view.at);
	setText($("name"), m.source);
	setText($("machine-title"), `Machine ${m.source}`);
	document.title = `${m.shards_ready}/${m.shards} ${m.source} – CONTROL`;
	const ills = [m.halted && "halted: Discord refuses the token or its intents", m.outage && "Discord has an outage", n.failed && `${count(n.failed, "cluster has", "clusters have")} failed`,
		n.starting && `${count(n.starting, "cluster is", "clusters are")} on the way`, n.stopped && `${count(n.stopped, "cluster is", "clusters are")} stopped`,
		m.shards_ready < m.shards && "not every shard is ready",
		stuck && `shard ${stuck.shard} is stuck: ${stuck.reason}`, !m.master.up && "there is no link to MASTER"].filter(Boolean);
	setText($("summary"), `${ills.length ? "!" : "✓"} ${[`${count(n.serving, "cluster serves", "clusters serve")}`, ...ills].join("; ")}`);
	$("summary").className = m.halted || m.outage || n.failed || stuck ? "bad" : ills.length ? "busy" : "good";
	setText($("ready"), `${m.shards_ready.toLocaleString()} of ${count(m.shards, "shard")} ready`);
	facts($("machine"), [
		["Host", m.host], ["Version", m.version], ["PID", String(m.pid)], ["Up", span(at - Date.parse(m.started))],
		["MASTER", `${m.master.up ? "✓ linked" : "✕ no link"} for ${span(at - Date.parse(m.master.since))}${m.master.err && !m.master.up ? `: ${m.master.err}` : ""}`],
		["Shards of the bot", m.shard_count ? m.shard_count.toLocaleString() : ""], ["Identifies at once", String(m.max_concurrency || "")],
		["Rolling restart", m.rolling_restart && `${m.rolling_restart.state}, ${m.rolling_restart.done} done, ${m.rolling_restart.left} left`],
	]);
	legend();
	clusters.show(view);
	refresh();
}

// legend counts the shards in each state.
function legend() {
	const many = Object.fromEntries(Object.keys(shardStates).map((letter) => [letter, 0]));
	for (const { states } of view.clusters) for (const letter of states) many[letter in many ? letter : "."]++;
	Object.entries(shardStates).forEach(([letter, [name, mark, kind]], i) => {
		const item = $("legend").children[i] ?? $("legend").appendChild(el("li"));
		item.className = many[letter] ? kind : "";
		setText(item, `${mark} ${name} ${many[letter].toLocaleString()}`);
	});
}

// The dialog with details. refresh updates it.
let refresh = () => {};

function open(title, ...parts) {
	setText($("details-title"), title);
	$("details").children[1].replaceChildren(...parts);
	if (!$("details").open) $("details").showModal();
}

$("details").addEventListener("close", () => (refresh = () => {}));

function showShard(shard) {
	const dl = el("dl");
	refresh = async () => {
		let c = view.clusters.find((c) => c.shards[0] <= shard && shard <= c.shards[1]);
		if (c && !c.latency_ms) c = await get(`clusters/${c.cluster}`).catch(() => undefined);
		if (!c) return;
		const i = shard - c.shards[0];
		const [name, mark] = shardStates[c.states[i]] ?? shardStates["."];
		facts(dl, [["State", `${mark} ${name}`], ["Latency", latencyText(c.latency_ms[i]) || "not known"], ["Events", rateText(c.events_per_second[i]) || "not known"],
			["Cluster", `${c.cluster}, ${c.state}`], ["PID", String(c.pid ?? "")], ["Machine", view.machine.source]]);
	};
	refresh();
	open(`Shard ${shard}`, dl);
}

// showCluster shows the last exit of a cluster, and why CONTROL gave it up.
async function showCluster(id) {
	open(`Cluster ${id}`, "asking …");
	try {
		const { last_death: d, gave_up: g, state } = await get(`clusters/${id}`);
		const details = facts(el("dl"), [["State", state], ["Last exit", d && `${d.at}: ${d.cause}`], ["Why", d?.err], ["Exit", d?.exit], ["Given up after", g && count(g.attempts, "attempt")],
			["Close code", g?.close_code && String(g.close_code)], ["Waited for", g?.waited_for]]);
		open(`Cluster ${id}`, details, ...(g ? [el("h3", {}, "Each attempt, and what it wrote last"), ...why(g)] : []));
	} catch (e) {
		open(`Cluster ${id}`, e.message);
	}
}

// reveal focuses a shard's tile.
function reveal(shard) {
	$("ill").checked = false;
	clusters.tile(shard)?.focus();
}

live(() => (view?.machine.shards >= denseFrom ? "machine?shard_figures=false" : "machine"), show);
whereis((is) => is.here && clusters.tile(is.shard) && el("button", { type: "button", onclick: () => reveal(is.shard) }, "Show it"));
