/** A hundred thousand texts in 262,144 features: takes a minute, and runs with `npm run test:soak` alone. */
import { expect, test } from 'vitest';
import { run } from '../children/run.js';

const INDEX = JSON.stringify(new URL('../../dist/index.js', import.meta.url).href);

/** 131 words a text, of which the hash takes 0.05 % of the inputs; five of them tell the class, the others say nothing. */
const PROGRAM = `
  import { fit } from ${INDEX};
  let state = 1;
  const next = (n) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % n;
  const TELLING = [['rude', 'late', 'cold', 'broken', 'bad'], ['kind', 'early', 'warm', 'whole', 'good']];
  async function* rows() {
    for (let i = 0; i < 100_000; i += 1) {
      const words = Array.from({ length: 126 }, () => 'w' + next(300_000).toString(36));
      yield { text: [...TELLING[i % 2], ...words].join(' '), mood: i % 2 ? 'glad' : 'cross' };
    }
  }
  const options = { target: 'mood', task: 'classification', hash: 2 ** 18, hidden: [32], solver: 'adam', epochs: 1 };
  const { model, history } = await fit(rows(), { ...options, validationShare: 0.1, batchSize: 512 });
  const { label } = await model.predict({ text: 'a good and early word' });
  const { maxRSS } = process.resourceUsage();
  console.log(JSON.stringify({ maxRSS: maxRSS * 1024, label, accuracy: history.at(-1).validation.accuracy }));
`;

test.skipIf(process.env.DLADMM_SOAK !== '1')(
  '100,000 texts in 262,144 hashed features train within 1 GB',
  async () => {
    const { code, stdout, stderr } = await run(process.execPath, ['--input-type=module', '--eval', PROGRAM], 300_000);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { maxRSS, label, accuracy } = JSON.parse(stdout);
    expect(maxRSS).toBeLessThan(1e9);
    expect(label).toBe('glad');
    expect(accuracy).toBeGreaterThan(0.9);
  },
  310_000,
);
