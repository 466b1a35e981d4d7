// The search: a server's id → its shard, cluster and machine.
import { get } from "./live.js";
import { $ } from "./words.js";

// whereis enables the search. offer returns an element to show with an answer, or nothing.
export function whereis(offer) {
	const output = $("whereis").querySelector("output");
	$("whereis").addEventListener("submit", async (e) => {
		e.preventDefault();
		output.replaceChildren("asking …");
		try {
			const is = await get(`whereis/${encodeURIComponent($("guild").value.trim())}`);
			const where = is.here ? `cluster ${is.cluster ?? "not known"} on ${is.machine}` : "not here";
			const state = [where, is.state?.replace("_", " "), is.latency_ms && `${is.latency_ms} ms`].filter(Boolean).join(", ");
			output.replaceChildren(`shard ${is.shard} of ${is.shard_count}: ${state} `, offer(is) || "");
		} catch (e) {
			output.replaceChildren(e.message);
		}
	});
	document.addEventListener("keydown", (e) => {
		if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]") || e.target === $("guild")) return;
		e.preventDefault();
		$("guild").select();
	});
}
