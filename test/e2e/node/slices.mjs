// A browser so slow that each item takes half a slice, and a new list every other frame: prints how many items of the last list it has shown after 100 lists.
import { copyFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const module = join(mkdtempSync(join(process.env.TMPDIR ?? tmpdir(), "slices-")), "slices.mjs"); // .js is no module to node
copyFileSync(process.argv[2], module);
const { Slices } = await import(pathToFileURL(module));

let at = 0, frames = [];
const shown = new Map();
const slices = new Slices((list, i) => { at += 10; shown.set(i, list[i]); }, () => at, (f) => frames.push(f));
const frame = () => { const due = frames; frames = []; due.forEach((f) => f()); };

for (let n = 1; n <= 100; n++) {
	slices.show(new Array(40).fill(n));
	frame();
	frame();
}
const replaced = shown.size;
while (frames.length) frame();
console.log(replaced, [...shown.values()].filter((n) => n === 100).length);
