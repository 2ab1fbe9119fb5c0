/**
 * What a server does to a native addon over the months: two versions of it in one process, worker threads that come and
 * go, exits in the middle of work, one training after the other. Run on the installed package, in processes of their own.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { drills } from '../children/drills.js';
import { describeInstalled, type Outcome, type Ready, runProgram } from './installation.js';

const PRELUDE = `
  import { once } from 'node:events';
  import { readFileSync } from 'node:fs';
  import { Worker } from 'node:worker_threads';
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const threads = () => Number(/Threads:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
  const SMALL = { layers: [64, 40, 10], iterations: 5, threads: 2, nu: 1, rho: 1 };
  const ENDLESS = { ...SMALL, layers: [64, 100, 100, 10], iterations: 1e9 };
`;

const PACKAGE = `
  import { fit, info, Model, train } from 'dladmm';
  import { loadDataset } from 'dladmm/data';
  const digits = await loadDataset('digits');
`;

const drill = (installation: Ready, name: string, text: string, ...flags: readonly string[]): Promise<Outcome> =>
  runProgram(installation, installation.plain, name, `${PRELUDE} ${text}`, flags);

/** The package in a folder, whatever package the importing module would find. */
const entryPoint = (folder = ''): string =>
  pathToFileURL(join(folder, 'node_modules', 'dladmm', 'dist', 'index.js')).href;

const ended = (stdout: string, code = 0): Outcome => ({ code, signal: null, stdout, stderr: '' });

describeInstalled('two versions of the package in one process', (installation) => {
  const BOTH = `
    const places = ${JSON.stringify([installation.plain, installation.other].map(entryPoint))};
    const [one, two] = await Promise.all(places.map(async (place) => ({
      ...(await import(place)),
      ...(await import(new URL('data.js', place).href)),
    })));
  `;

  test('are two packages, each with its own addon and its own classes', async () => {
    const outcome = await drill(
      installation,
      'identities.mjs',
      `${BOTH}
       console.log(one.info().version !== two.info().version, two.info().version, one.info().addon !== two.info().addon);
       console.log(one.Model !== two.Model, one.DlAdmmError !== two.DlAdmmError);`,
    );
    expect(outcome).toEqual(ended('true 999.0.0 true\ntrue true\n'));
  });

  test('train side by side to the same numbers as each alone', async () => {
    const outcome = await drill(
      installation,
      'side-by-side.mjs',
      `${BOTH}
       const digits = await one.loadDataset('digits');
       const weights = async ({ fit }, solver) => {
         const work = ['adam', 'badm'].includes(solver) ? { epochs: 2 } : { iterations: 5 };
         const { model } = await fit(digits.train, { solver, layers: [64, 40, 10], threads: 2, ...work });
         return Buffer.concat(model.weights.map((w) => Buffer.from(w.buffer, w.byteOffset, w.byteLength))).toString('hex');
       };
       const solvers = ['dladmm', 'inversion-admm', 'adam', 'badm'];
       const alone = [];
       for (const solver of solvers) alone.push(await weights(one, solver));
       const together = await Promise.all(solvers.flatMap((solver) => [weights(one, solver), weights(two, solver)]));
       console.log(together.map((each, i) => each === alone[i >> 1]).join());`,
    );
    expect(outcome).toEqual(ended(`${new Array(8).fill('true').join()}\n`));
  });

  test('and in its worker threads, while one of them is ended', async () => {
    const outcome = await drill(
      installation,
      'two-in-workers.mjs',
      `${BOTH}
       const digits = await one.loadDataset('digits');
       const job = (place) => new Worker(new URL('data:text/javascript,' + encodeURIComponent(
         'import { parentPort } from "node:worker_threads";' +
         'const { fit } = await import(' + JSON.stringify(place) + ');' +
         'const { loadDataset } = await import(' + JSON.stringify(new URL('data.js', place).href) + ');' +
         'const { train } = await loadDataset("digits"); parentPort.postMessage("ready");' +
         'await fit(train, ' + JSON.stringify(ENDLESS) + ');')));
       const workers = [0, 1, 0, 1].map((i) => job(places[i]));
       await Promise.all(workers.map((worker) => once(worker, 'message')));
       await Promise.all([workers[0].terminate(), workers[3].terminate()]);
       const kinds = await Promise.all([one, two].map(({ fit }) => fit(digits.train, SMALL)));
       console.log(kinds.map(({ status }) => status.kind).join());
       process.exit(0);`,
    );
    expect(outcome).toEqual(ended('completed,completed\n'));
  });
});

describeInstalled('worker threads that start and stop', (installation) => {
  const worker = (name: string, text: string): void =>
    writeFileSync(
      join(installation.plain, name),
      `import { parentPort } from 'node:worker_threads'; ${PRELUDE} ${PACKAGE} ${text}`,
    );

  test('one after the other, the addon loaded by none but them, leave no thread behind', async () => {
    worker('short.mjs', `parentPort.postMessage((await fit(digits.train, SMALL)).status.kind);`);
    const outcome = await drill(
      installation,
      'one-by-one.mjs',
      `const kinds = [];
       let before;
       for (let i = 0; i < ${drills(5, 200)}; i++) {
         const worker = new Worker(new URL('short.mjs', import.meta.url));
         const [[kind]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
         kinds.push(kind);
         before ??= threads();
       }
       console.log(new Set(kinds).size, kinds[0], threads() - before);`,
    );
    expect(outcome).toEqual(ended('1 completed 0\n'));
  });

  test('twenty at once, half of them ended in the middle, leave the others and the process alone', async () => {
    worker('short.mjs', `parentPort.postMessage((await fit(digits.train, SMALL)).status.kind);`);
    worker('long.mjs', `parentPort.postMessage('ready'); await fit(digits.train, ENDLESS);`);
    const outcome = await drill(
      installation,
      'at-once.mjs',
      `for (let round = 0; round < ${drills(1, 10)}; round++) {
         const short = Array.from({ length: 10 }, () => new Worker(new URL('short.mjs', import.meta.url)));
         const long = Array.from({ length: 10 }, () => new Worker(new URL('long.mjs', import.meta.url)));
         const kinds = Promise.all(short.map((worker) => once(worker, 'message')));
         const over = Promise.all(short.map((worker) => once(worker, 'exit')));
         await Promise.all(long.map(async (worker, i) => {
           await once(worker, 'message');
           await sleep((i * 13) % 40);
           await worker.terminate();
         }));
         console.log(new Set((await kinds).flat()).size, (await over).flat().every((code) => code === 0));
       }`,
    );
    expect(outcome).toEqual(ended('1 true\n'.repeat(drills(1, 10))));
  });
});

describeInstalled('the end of a process in the middle of a training', (installation) => {
  test.each([
    ['process.exit()', 'process.exit(7)', { code: 7, signal: null }],
    ['an error that nobody catches', "throw new Error('mine')", { code: 1, signal: null }],
    ['SIGTERM', "process.kill(process.pid, 'SIGTERM')", { code: null, signal: 'SIGTERM' }],
    ['SIGINT', "process.kill(process.pid, 'SIGINT')", { code: null, signal: 'SIGINT' }],
  ] as const)('by %s is a plain end, at whatever moment', async (_, end, expected) => {
    for (let i = 0; i < drills(3, 50); i++) {
      const outcome = await drill(
        installation,
        'end.mjs',
        `${PACKAGE}
         const solver = ['dladmm', 'inversion-admm', 'adam', 'badm'][${i} % 4];
         const work = ['adam', 'badm'].includes(solver) ? { epochs: 1e6 } : { iterations: 1e6 };
         setTimeout(() => { ${end}; }, ${(i * 17) % 60});
         await fit(digits.train, { solver, layers: [64, 100, 100, 10], threads: 2, ...work });`,
      );
      expect(outcome).toMatchObject(expected);
      if (outcome.code !== 1) expect(outcome.stderr).toBe('');
      else expect(outcome.stderr).toContain('Error: mine');
    }
  });
});

describeInstalled('one training after the other', (installation) => {
  test('lets the resident memory grow by less than 5 %, and the threads not at all', async () => {
    const outcome = await drill(
      installation,
      'memory.mjs',
      `${PACKAGE}
       const solvers = ['dladmm', 'inversion-admm', 'adam', 'badm'];
       const run = async (count) => {
         for (let i = 0; i < count; i++) {
           const solver = solvers[i % solvers.length];
           const work = ['adam', 'badm'].includes(solver) ? { epochs: 2 } : { iterations: 3 };
           const { model } = await fit({ ...digits.train, test: digits.test }, { solver, layers: [64, 40, 10], threads: 2, ...work });
           await model.predict(digits.test.x);
           // Every other model is left to the garbage collector.
           if (i % 2 === 0) model.close();
           if (i % 10 === 0) gc();
         }
       };
       const settled = async () => {
         let least = Infinity;
         for (let i = 0; i < 10; i++) {
           gc();
           await sleep(5);
           least = Math.min(least, process.memoryUsage.rss());
         }
         return least;
       };
       await run(100);
       const before = { rss: await settled(), threads: threads() };
       await run(${drills(200, 2000)});
       const grown = (await settled()) / before.rss - 1;
       console.log(grown < 0.05 ? 'less than 5 %' : grown, threads() - before.threads);`,
      '--expose-gc',
    );
    expect(outcome).toEqual(ended('less than 5 % 0\n'));
  });
});
