import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import test from 'node:test';
import * as esm from '../index.mjs';

const require = createRequire(import.meta.url);
const here = (name) => new URL(`../${name}`, import.meta.url);
const text = (name) => fs.readFileSync(here(name), 'utf8');

test('import and require give the same, and the types name all of it', () => {
  const cjs = require('@discluster/bot');
  assert.deepEqual(Object.keys(cjs).sort(), Object.keys(esm).sort());
  for (const name of Object.keys(cjs)) assert.equal(cjs[name], esm[name], name);
  const types = text('index.d.ts').matchAll(/^export (?:function|class|const) (\w+)/gm);
  assert.deepEqual([...types].map(([, name]) => name).sort(), Object.keys(cjs).sort());
});

test('package.json is complete', () => {
  const pack = JSON.parse(text('package.json'));
  assert.equal(pack.version, esm.version);
  assert.equal(pack.dependencies, undefined);
  for (const name of pack.files) assert.ok(fs.existsSync(here(name)), name);
  assert.equal(text('LICENSE'), text('../../../LICENSE'));
  assert.match(text('LICENSE'), new RegExp(`^${pack.license} License`));
});
