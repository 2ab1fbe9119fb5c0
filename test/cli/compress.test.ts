import { readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { Model } from '../../src/model/model.js';
import { pictureOfSizes, type Round } from '../../src/report/sizes.js';
import { inFolder } from './support.js';

const { path, run } = inFolder();
const QUICK = ['--rounds', '1', '--steps', '1', '--step-epochs', '2', '--retrain', '3'];

beforeAll(async () => {
  const rows = Array.from({ length: 200 }, (_, i) => {
    const [a, b] = [(i % 11) / 11, (i % 7) / 7];
    return [a, b, i % 2 ? 'left' : 'right', a + b > 0.9 ? 'yes' : 'no'].join(',');
  });
  writeFileSync(path('table.csv'), ['a,b,side,y', ...rows].join('\n'));
  await run(
    'train',
    'table.csv',
    '--target',
    'y',
    '--hidden',
    '16-8',
    '--epochs',
    '20',
    '--save',
    'large.safetensors',
    '--quiet',
  );
});

describe('dladmm compress', () => {
  it('writes a model with zeros, and prints size, speed and scores before and after', async () => {
    const args = ['compress', 'large.safetensors', 'table.csv', '--sparsity', '0.75', '--to', 'small.safetensors'];
    const { code, out } = await run(...args, ...QUICK);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^ +before +after\nlayers +\d+-16-8-2 +\d+-16-8-2\nweights that are not 0 +\d+ +\d+\nparameters/,
    );
    expect(out).toMatch(/\nrows a second +\d+ +\d+\naccuracy +[\d.]+ +[\d.]+\n/);
    expect(out).toMatch(/\n75\.\d\d % of the weights are 0 or gone; judged by the validation rows\n/);
    const [large, small] = [await Model.load(path('large.safetensors')), await Model.load(path('small.safetensors'))];
    const all = small.weights.flatMap((each) => [...each]);
    expect(all.filter((w) => w === 0).length).toBe(Math.ceil(0.75 * all.length));
    expect(small.columns).toEqual(large.columns);
    expect(small.note).toMatchObject({ 'compressed from': 'large.safetensors' });
    expect(readFileSync(path('small.safetensors')).length).toBeGreaterThan(0);
    expect((await run('predict', 'small.safetensors', 'table.csv')).out).toMatch(/^class,no,yes\n/);
  });

  it('tells as JSON what became of a narrower network', async () => {
    const args = [
      'compress',
      'large.safetensors',
      '--data',
      'table.csv',
      '--structure',
      'neurons',
      '--parameters',
      '60',
    ];
    const { code, out } = await run(...args, ...QUICK, '--solver', 'sgd', '--to', 'narrow.safetensors', '--json');
    expect(code).toBe(0);
    const told = JSON.parse(out) as Record<'before' | 'after', { parameters: number }> & Record<string, unknown>;
    expect(told.after.parameters).toBeLessThanOrEqual(60);
    expect(told.model).toBe('narrow.safetensors');
    expect((told.bytes as { after: number }).after).toBe(readFileSync(path('narrow.safetensors')).length);
    const { layers } = (await Model.load(path('narrow.safetensors'))).network;
    expect(layers[1]).toBeLessThan(16);
  });

  it('writes a model of few bits', async () => {
    const args = ['compress', 'large.safetensors', 'table.csv', '--quantise', 'int8', '--to', 'int8.safetensors'];
    const { code, out } = await run(...args, ...QUICK);
    expect(code).toBe(0);
    expect(out).toMatch(/\nweights are +float32 +int8\nbytes of all +\d+ +\d+\n/);
    expect((await Model.load(path('int8.safetensors'))).quantisation).toMatchObject({ grid: 'int8' });
    expect((await run('predict', 'int8.safetensors', 'table.csv')).out).toMatch(/^class,no,yes\n/);
  });

  it('draws the score after each round, and takes no file that is no picture of ours', async () => {
    const args = ['compress', 'large.safetensors', 'table.csv', '--sparsity', '0.9', '--to', 'drawn.safetensors'];
    const more = [...QUICK, '--rounds', '3', '--picture', 'path.svg', '--json'];
    const { code, out } = await run(...args, ...more);
    expect(code).toBe(0);
    const { picture, history } = JSON.parse(out) as { picture: string; history: readonly Round[] };
    expect(picture).toBe('path.svg');
    const drawn = readFileSync(path('path.svg'), 'utf8');
    expect(drawn).toBe(pictureOfSizes(history));
    const rounds = history.filter(({ kind }) => kind === 'retraining');
    expect([...drawn.matchAll(/<title>(\d+) weights/g)].map(([, weights]) => Number(weights))).toEqual(
      rounds.map(({ weights }) => weights),
    );
    expect((await run(...args, ...more)).code).toBe(0);
    const taken = await run(...args, ...QUICK, '--picture', 'table.csv');
    expect([taken.code, taken.err]).toEqual([1, expect.stringMatching(/that is the file to read from/)]);
    writeFileSync(path('other.svg'), '<svg xmlns="http://www.w3.org/2000/svg"></svg>');
    const other = await run(...args, ...QUICK, '--picture', 'other.svg');
    expect([other.code, other.err]).toEqual([1, expect.stringMatching(/no picture of dladmm/)]);
  });

  it.each([
    [['--quantise', 'int8', '--picture', 'no.svg'], 1, /--sparsity or --parameters with --picture/],
    [['--sparsity', '0.5', '--validation-share', '0', '--picture', 'no.svg'], 1, /no --validation-share 0/],
    [['--sparsity', '0.5', '--picture', 'no.safetensors'], 1, /two files/],
    [['--sparsity', '1'], 1, /above 0 and below 1 for sparsity/],
    [[], 1, /either sparsity or parameters/],
    [['--sparsity', '0.5', '--parameters', '9'], 1, /either sparsity or parameters/],
    [['--sparsity', '0.5', '--target', 'a'], 1, /no --target and no --ignore/],
    [['--sparsity', '0.5', '--structure', 'rows'], 2, /Allowed choices are weights, neurons, 1x4/],
    [['--sparsity', '0.5', '--solver', 'muon'], 2, /Allowed choices are dladmm/],
    [['--sparcity', '0.5'], 2, /did you mean --sparsity/],
  ] as const)('refuses %j', async (flags, code, text) => {
    const refused = await run('compress', 'large.safetensors', 'table.csv', '--to', 'no.safetensors', ...flags);
    expect(refused.code).toBe(code);
    expect(refused.err).toMatch(text);
  });

  it('never writes over the model that it reads', async () => {
    const args = ['compress', 'large.safetensors', 'table.csv', '--sparsity', '0.5', '--to', 'large.safetensors'];
    expect((await run(...args)).err).toMatch(/that is the file to read from/);
  });
});
