import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Model } from '../../src/model/model.js';
import { inFolder } from './support.js';

const { path, run } = inFolder();
const rows = Array.from({ length: 200 }, (_, i) => {
  const [a, b] = [((i * 37) % 100) / 50 - 1, ((i * 61) % 100) / 50 - 1];
  return { a, b, sum: a + b, left: 2 * a, red: a > 0 ? 1 : 0, round: b > 0 ? 1 : 0 };
});
const tags = ({ red, round }: (typeof rows)[number]) =>
  [...(red ? ['red'] : []), ...(round ? ['round'] : [])].join('|');

describe('dladmm train with what a row has several of', () => {
  it('takes labels in texts, and tells them so again', async () => {
    await writeFile(path('tags.csv'), `a,b,tags\n${rows.map((row) => `${row.a},${row.b},${tags(row)}`).join('\n')}\n`);
    const told = ['--target', 'tags', '--task', 'multi-label', '--quiet', '--save', 'tags.model'];
    expect(await run('train', 'tags.csv', ...told)).toMatchObject({ code: 0 });
    expect(await run('evaluate', 'tags.model', 'tags.csv', '--json')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/"exactMatch":(0\.9|1)/),
    });
    expect(await run('predict', 'tags.model', 'tags.csv', '--out', 'out.csv')).toMatchObject({ code: 0 });
    const [header, ...lines] = (await readFile(path('out.csv'), 'utf8')).split('\n');
    expect(header).toBe('labels,red,round');
    expect(lines.filter((line, i) => rows[i] && line.split(',')[0] === tags(rows[i])).length).toBeGreaterThan(180);
  });

  it('takes several columns of values, or of labels', async () => {
    const names = Object.keys(rows[0] ?? {});
    await writeFile(path('all.csv'), `${names.join()}\n${rows.map((row) => Object.values(row).join()).join('\n')}\n`);
    const values = [
      '--target',
      'sum,left',
      '--ignore',
      'red,round',
      '--epochs',
      '3',
      '--quiet',
      '--save',
      'values.model',
    ];
    expect(await run('train', 'all.csv', ...values)).toMatchObject({ code: 0 });
    expect((await Model.load(path('values.model'))).target).toEqual(['sum', 'left']);
    const said = await run('predict', 'values.model', 'all.csv');
    expect(said.out).toMatch(/^sum,left\n/);
    const labels = [
      '--target',
      'red,round',
      '--ignore',
      'sum,left',
      '--test-share',
      '0.2',
      '--json',
      '--save',
      'labels.model',
    ];
    expect(await run('train', 'all.csv', ...labels, '--epochs', '3')).toMatchObject({ code: 0 });
    expect((await Model.load(path('labels.model'))).classes).toEqual(['red', 'round']);
    const odd = await run('train', 'all.csv', '--target', 'red,none', '--epochs', '1');
    expect(odd).toMatchObject({ code: 1, err: expect.stringContaining('none') });
  });

  it('calibrates scores where it is asked to', async () => {
    await writeFile(
      path('one.csv'),
      `a,b,kind\n${rows.map(({ a, b, red }) => `${a},${b},${red ? 'r' : 'g'}`).join('\n')}\n`,
    );
    const hinge = ['--target', 'kind', '--loss', 'hinge', '--epochs', '5', '--quiet'];
    expect(await run('train', 'one.csv', ...hinge, '--calibrate', '--save', 'hinge.model')).toMatchObject({ code: 0 });
    expect((await Model.load(path('hinge.model'))).calibration).toBeDefined();
    expect((await run('predict', 'hinge.model', 'one.csv')).out).toMatch(/^class,g,r\n[gr],0\.\d+,0\.\d+\n/);
    const odd = await run('train', 'one.csv', '--target', 'kind', '--epochs', '1', '--calibrate');
    expect(odd).toMatchObject({ code: 1, err: expect.stringContaining('probabilities by itself') });
  });

  it('writes encoders, or leaves them out, or says why there are none', async () => {
    for (const [flags, inputs] of [
      [['--encoders'], ['a', 'b']],
      [['--no-encoders'], ['x']],
    ] as const) {
      expect(await run('export', 'hinge.model', '--to', 'hinge.onnx', ...flags)).toMatchObject({ code: 0 });
      const text = (await readFile(path('hinge.onnx'))).toString('latin1');
      expect(inputs.length > 0 && text.includes('probabilities')).toBe(true);
      expect(text.includes('encoders.order')).toBe(inputs.length === 2);
    }
    const many = rows.map(({ a, red }, i) => `${a},text ${i % 60},${red ? 'r' : 'g'}`);
    await writeFile(path('many.csv'), `a,word,kind\n${many.join('\n')}\n`);
    await run('train', 'many.csv', '--target', 'kind', '--categories', '10', '--epochs', '1', '--save', 'many.model');
    const refused = await run('export', 'many.model', '--to', 'many.onnx', '--encoders');
    expect(refused).toMatchObject({ code: 1, err: expect.stringMatching(/"word" enters by the hash.*--no-encoders/) });
    expect(await run('export', 'many.model', '--to', 'many.onnx', '--no-encoders')).toMatchObject({ code: 0 });
  });
});
