// npm run test:fuzz -- [--seconds 600] [--mutants 20000] [--seed 1] [--only csv,npy] [--state FILE]: mutants of files for every
// reader, each target in a process of its own that is watched: none may hold the processor for more than a second, take more than
// 1 GB, crash, or throw anything but a DlAdmmError. It ends after so many seconds, and not before every reader has had so many
// mutants. With --state the numbers go on where the last run stopped, and add up. Of the time two fifths go to what coverage guides
// (scripts/fuzz-native.mjs): the C++ reader and the addon's arguments; with --only or --readers the readers have all of it.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    mutants: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    readers: { type: 'boolean', default: false },
    state: { type: 'string' },
  },
});
const guidedSeconds = values.only || values.readers ? 0 : Math.ceil(0.4 * Number(values.seconds));
const readerSeconds = Number(values.seconds) - guidedSeconds;
const NAMES = [
  ...['csv', 'frame', 'npy', 'npz', 'zip', 'idx', 'tar', 'gzip', 'table', 'parquet', 'arrow', 'samples'],
  ...['libsvm', 'sparse', 'safetensors', 'state-dict', 'onnx', 'graph', 'model', 'checkpoint', 'learner', 'resume'],
];
const names = values.only?.split(',') ?? NAMES;
const jobs = Math.min(names.length, Math.max(1, availableParallelism()));
/** What one process gets, in seconds: at most half of the time goes round once, the rest to the readers that are behind. */
const SLICE = Math.min(5, Math.max(1, (readerSeconds * jobs) / names.length / 2));
const MOST_BYTES = 2 ** 30;
const HANGS_AFTER = 5;
const folder = mkdtempSync(join(tmpdir(), 'dladmm-fuzz-main-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const child = fileURLToPath(new URL('child.mjs', import.meta.url));

/** Peak bytes and seconds of the processor of a process and its children. */
function watch(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    const own = {
      bytes: 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0),
      seconds: (Number(fields[11]) + Number(fields[12])) / 100,
    };
    return children
      .map(watch)
      .reduce((a, b) => ({ bytes: Math.max(a.bytes, b.bytes), seconds: a.seconds + b.seconds }), own);
  } catch {
    return { bytes: 0, seconds: 0 };
  }
}

const currentOf = (progress) => {
  const bytes = existsSync(progress) ? readFileSync(progress) : Buffer.alloc(0);
  return bytes.length === 8 ? Number(bytes.readBigUInt64LE()) : undefined;
};

/** One process on one target; what it printed, or how it ended. */
function run(name, first, seconds) {
  const progress = join(folder, name);
  rmSync(progress, { force: true });
  return new Promise((resolve) => {
    const args = ['--max-old-space-size=700', child, name, values.seed, String(first), String(seconds), progress];
    const started = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let [out, said, killed, peak] = ['', '', undefined, 0];
    let since = { index: undefined, seconds: 0 };
    started.stdout.on('data', (text) => (out += text));
    started.stderr.on('data', (text) => (said = `${said}${text}`.slice(-2000)));
    const timer = setInterval(() => {
      const index = currentOf(progress);
      const { bytes, seconds: used } = watch(started.pid);
      peak = Math.max(peak, bytes);
      if (index !== since.index) since = { index, seconds: used };
      if (bytes > MOST_BYTES) killed = `${Math.round(bytes / 2 ** 20)} MB`;
      else if (index !== undefined && used - since.seconds > HANGS_AFTER) killed = `hang: more than ${HANGS_AFTER} s`;
      if (killed) process.kill(-started.pid, 'SIGKILL');
    }, 100);
    started.on('close', (code, signal) => {
      clearInterval(timer);
      const report = out.startsWith('{') ? JSON.parse(out) : undefined;
      const ended = report ? undefined : (killed ?? `ended with ${signal ?? code}: ${said.slice(-600)}`);
      resolve({ report, peak, ended, index: currentOf(progress) });
    });
  });
}

const state = values.state && existsSync(values.state) ? JSON.parse(readFileSync(values.state, 'utf8')) : {};
const keep = () => values.state && writeFileSync(values.state, JSON.stringify(state, undefined, 1));

for (const name of names) {
  state[name] ??= {
    next: 0,
    seconds: 0,
    tried: 0,
    taken: 0,
    refused: 0,
    slowest: 0,
    peak: 0,
    codes: {},
    findings: [],
    caught: [],
  };
}

/** A process on one target, and what came of it. */
async function fuzz(name) {
  const all = state[name];
  const started = performance.now();
  const { report, peak, ended, index = all.next } = await run(name, all.next, SLICE);
  all.seconds += (performance.now() - started) / 1000;
  all.peak = Math.max(all.peak, peak);
  all.next = report?.next ?? index + 1;
  if (report) {
    const { totals } = report;
    for (const key of ['tried', 'taken', 'refused']) all[key] += totals[key];
    for (const [code, count] of Object.entries(totals.codes)) all.codes[code] = (all.codes[code] ?? 0) + count;
    all.slowest = Math.max(all.slowest, totals.slowest);
    all.findings.push(...report.findings);
    all.caught = [...all.caught, ...totals.caught].slice(0, 40);
  } else {
    all.tried += 1;
    all.findings.push({ index, what: ended });
  }
  keep();
}

const began = performance.now();
const seconds = () => (performance.now() - began) / 1000;
const busy = new Set();
const DEATHS = 20;
/** What every reader gets first; then all get the same time. */
const MUTANTS = 20_000;
const lacks = (name, mutants) => state[name].tried < mutants;
const last = (name) => (lacks(name, MUTANTS) ? state[name].tried - MUTANTS : state[name].seconds);
/** The target that is the most behind and that nobody is at work on; one that has died often has said what it had to say. */
const next = () =>
  names
    .filter((name) => !busy.has(name) && state[name].findings.length < DEATHS)
    .filter((name) => seconds() < readerSeconds || lacks(name, Number(values.mutants)))
    .sort((a, b) => last(a) - last(b))[0];
async function work() {
  for (let name = next(); name !== undefined; name = next()) {
    busy.add(name);
    await fuzz(name);
    busy.delete(name);
  }
}
await Promise.all(Array.from({ length: jobs }, work));

const row = (...cells) =>
  console.log(cells.map((cell, i) => (i === 0 ? String(cell).padEnd(12) : String(cell).padStart(9))).join(' '));
console.log(`seed ${values.seed}, ${Math.round(seconds())} s`);
row('reader', 'mutants', 'taken', 'refused', 'slowest', 'peak MB', 'findings');
let tried = 0;
let findings = 0;
for (const name of names) {
  const one = state[name];
  tried += one.tried;
  findings += one.findings.length;
  row(
    name,
    one.tried,
    one.taken,
    one.refused,
    `${(1000 * one.slowest).toFixed(0)} ms`,
    Math.round(one.peak / 2 ** 20),
    one.findings.length,
  );
}
console.log(`${tried} inputs, ${findings} findings`);
for (const name of names) {
  for (const { index, what, path } of state[name].findings.slice(0, 20)) {
    console.log(
      `FINDING ${name} ${index}: ${what}\n  again: node test/fuzz/child.mjs ${name} ${values.seed} ${index} 0.001 /dev/null${path ? `\n  file:  ${path}` : ''}`,
    );
  }
  // One line for each place in the code.
  const caught = new Map(
    state[name].caught.map((line) => [line.replaceAll(/[-\d]+/g, '#').replace(/^.*(?=\sat )/, ''), line]),
  );
  for (const line of caught.values()) console.log(`caught by the net: ${name} ${line}`);
}
process.exitCode = findings > 0 ? 1 : 0;
if (guidedSeconds > 0) {
  const script = fileURLToPath(new URL('../../scripts/fuzz-native.mjs', import.meta.url));
  const { status } = spawnSync(process.execPath, [script, String(guidedSeconds)], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
