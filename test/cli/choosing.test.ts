import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { Model } from '../../src/model/model.js';
import { inFolder } from './support.js';

const { path, run, start } = inFolder();

beforeAll(() => {
  const rows = Array.from({ length: 120 }, (_, i) => {
    const [a, b] = [(i % 11) / 11, (i % 7) / 7];
    return [`g${i % 30}`, a, b, i % 2 ? 'left' : 'right', a + b > 0.9 ? 'yes' : 'no'].join(',');
  });
  writeFileSync(path('table.csv'), ['group,a,b,side,y', ...rows].join('\n'));
  const space = { hidden: [[], [4]], learningRate: { draw: 'log-uniform', low: 1e-3, high: 1e-1 } };
  writeFileSync(path('space.json'), JSON.stringify(space));
});

const TABLE = ['table.csv', '--target', 'y', '--ignore', 'group'];
const QUICK = ['--solver', 'adam', '--epochs', '3', '--folds', '3', '--threads', '1'];

describe('dladmm cross-validate', () => {
  it('tells every metric with its deviation, as a table and as JSON', async () => {
    const { code, out, err } = await run('cross-validate', ...TABLE, ...QUICK);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^3 folds\n +mean +sd +se\naccuracy/);
    const told = JSON.parse((await run('cross-validate', ...TABLE, ...QUICK, '--json')).out) as {
      readonly scores: { readonly rocAuc: object };
      readonly folds: readonly { readonly rows: readonly number[] }[];
    };
    expect(told.scores.rocAuc).toEqual({ ...told.scores.rocAuc, folds: 3 });
    expect(told.folds.flatMap(({ rows }) => rows)).toHaveLength(120);
  });

  it('holds groups out whole', async () => {
    const { out } = await run('cross-validate', ...TABLE.slice(0, 3), ...QUICK, '--groups', 'group', '--json');
    const { folds } = JSON.parse(out) as { readonly folds: readonly { readonly rows: readonly number[] }[] };
    for (const { rows } of folds) expect(rows.every((row) => rows.includes((row + 30) % 120))).toBe(true);
  });

  it('takes the training part of a named data set, with any solver', async () => {
    for (const how of [
      [...QUICK, '--hidden', '4'],
      ['--solver', 'dladmm', '--iterations', '3', '--folds', '3'],
    ]) {
      const { code, out, err } = await run('cross-validate', 'iris', ...how, '--json');
      expect({ code, err }).toEqual({ code: 0, err: '' });
      const { folds } = JSON.parse(out) as { readonly folds: readonly { readonly rows: readonly number[] }[] };
      expect(folds.flatMap(({ rows }) => rows)).toHaveLength(100);
    }
  });
});

describe('dladmm search', () => {
  const search = (...more: string[]) => run('search', ...TABLE, ...QUICK, '--space', 'space.json', ...more);

  it('tells trials as they end and the best of them, and saves its model', async () => {
    const { code, out, err } = await search('--trials', '3', '--metric', 'rocAuc', '--save', 'best.safetensors');
    expect(code).toBe(0);
    expect(err.match(/^trial \d: ROC AUC /gm)).toHaveLength(3);
    expect(out).toMatch(/^3 trials, completed; the best by ROC AUC:\n/);
    const model = await Model.load(path('best.safetensors'));
    expect(model.target).toBe('y');
    expect(model.columns?.map(({ name }) => name)).toEqual(['a', 'b', 'side']);
  });

  it('keeps its trials in a file, and goes on from it where it was killed', async () => {
    const args = [...TABLE, ...QUICK, '--space', 'space.json', '--resume', 'kept.json', '--parallel', '1', '--json'];
    const whole = JSON.parse((await search('--trials', '4', '--json', '--quiet')).out) as Found;
    const { child, ended } = start('search', ...args, '--trials', '400');
    child.stderr?.on('data', (text: string) => {
      if (/^trial 2/m.test(text)) child.kill('SIGKILL');
    });
    expect((await ended).signal).toBe('SIGKILL');
    const kept = JSON.parse(readFileSync(path('kept.json'), 'utf8')) as Found;
    expect(kept.trials.length).toBeGreaterThanOrEqual(2);
    const found = JSON.parse((await run('search', ...args, '--trials', '4', '--quiet')).out) as Found;
    expect(found.trials.map(untimed)).toEqual(whole.trials.map(untimed));
    for (const trial of kept.trials.slice(0, 4)) expect(found.trials).toContainEqual(trial);
  });

  it('tries what decides most where nobody says, and ends at its time', async () => {
    const { code, out } = await run('search', ...TABLE, '--seconds', '1', '--folds', '2', '--epochs', '2', '--json');
    expect(code).toBe(0);
    const { best } = JSON.parse(out) as Found & { readonly best: { readonly options: object } };
    expect(Object.keys(best.options)).toEqual(['hidden', 'activation', 'l2']);
  });

  const tried = async (...how: string[]) => {
    const args = ['--trials', '2', '--folds', '2', '--iterations', '2', '--threads', '1', '--quiet', '--json', ...how];
    const { code, out, err } = await run('search', ...TABLE, ...args);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const { trials } = JSON.parse(out) as { readonly trials: readonly { readonly options: object }[] };
    return trials.map(({ options }) => options as Readonly<Record<string, unknown>>);
  };

  it.each([
    [
      ['--layers', '5-4-2'],
      ['activation', 'l2'],
    ],
    [
      ['--hidden', '4'],
      ['activation', 'l2'],
    ],
    [['--activation', 'relu', '--l2', '0'], ['hidden']],
    [
      ['--solver', 'inversion-admm'],
      ['hidden', 'activation'],
    ],
    [
      ['--solver', 'sigmoid-admm'],
      ['hidden', 'activation', 'l2'],
    ],
    [
      ['--solver', 'dladmm'],
      ['hidden', 'activation', 'l2'],
    ],
  ])('with %o tries only what the solver has and no flag has settled: %o', async (how, names) => {
    for (const options of await tried(...how)) expect(Object.keys(options)).toEqual(names);
  });

  it('tries activations that the solver has', async () => {
    for (const { activation } of await tried('--solver', 'sigmoid-admm'))
      expect(activation).toMatch(/^(?:sigmoid|tanh)$/);
  });

  it('asks for a space where flags have left nothing to try', async () => {
    const settled = ['--hidden', '4', '--activation', 'relu', '--l2', '0'];
    const { code, err } = await run('search', ...TABLE, ...settled);
    expect(code).toBe(1);
    expect(err).toMatch(/^dladmm: Expected --space FILE, as nothing .* is left to try/);
  });

  it('predicts the target of the space, where no flag names one', async () => {
    writeFileSync(path('target.json'), JSON.stringify({ target: 'side', hidden: [[], [2]] }));
    const rules = [...QUICK, '--ignore', 'group', '--trials', '2', '--quiet'];
    await run('search', 'table.csv', ...rules, '--space', 'target.json', '--save', 'side.safetensors');
    const model = await Model.load(path('side.safetensors'));
    expect([model.target, model.classes]).toEqual(['side', ['left', 'right']]);
    await run('search', 'table.csv', ...rules, '--target', 'y', '--space', 'target.json', '--save', 'y.safetensors');
    expect((await Model.load(path('y.safetensors'))).target).toBe('y');
  });

  it('refuses one file for its trials and its model, which would have no place in the end', async () => {
    const { code, err } = await search('--resume', 'one.json', '--save', './one.json');
    expect({ code, err }).toEqual({
      code: 1,
      err: expect.stringMatching(/two different files for the model and the /),
    });
    expect(existsSync(path('one.json'))).toBe(false);
  });

  it('refuses a space that is none before any training', async () => {
    writeFileSync(path('wrong.json'), '{ "hiden": [[4]] }');
    const { code, err } = await run('search', ...TABLE, '--space', 'wrong.json');
    expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/did you mean hidden\?/) });
    const nothing = await run('search', ...TABLE, '--space', 'nowhere.json');
    expect(nothing.err).toMatch(/nowhere\.json/);
  });
});

describe('what is judged by parts that are held out in turns', () => {
  it.each(
    ['cross-validate', 'search', 'path'].flatMap((command) =>
      ['--test-data', '--test-labels', '--test-share'].map((flag) => [command, flag] as const),
    ),
  )('%s has no %s', async (command, flag) => {
    const { code, out, err } = await run(command, 'table.csv', flag, '0.2');
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(new RegExp(`^dladmm: unknown option '${flag}'; ${command} holds every part out in its turn`));
    expect((await run(command, '--help', 'all')).out).not.toContain(flag);
  });
});

describe('dladmm evaluate --importance', () => {
  it('tells what each column of the table is worth, by the metric that is named', async () => {
    const model = 'worth.safetensors';
    await run('train', ...TABLE, '--epochs', '10', '--save', model, '--quiet');
    const { code, out } = await run('evaluate', model, 'table.csv', '--importance', '--metric', 'rocAuc');
    const others = await run('evaluate', model, 'table.csv', '--importance', '--metric', 'rocAuc', '--seed', '9');
    expect(others.out).not.toBe(out);
    expect(code).toBe(0);
    expect(out).toMatch(/\nROC AUC .*; by how much it is worse where a column is shuffled:\n\ncolumn +importance +±\n/);
    const { importance } = JSON.parse((await run('evaluate', model, 'table.csv', '--importance', '--json')).out) as {
      readonly importance: { readonly metric: string; readonly columns: readonly { readonly column: string }[] };
    };
    expect(importance.metric).toBe('loss');
    expect(importance.columns.map(({ column }) => column).sort()).toEqual(['a', 'b', 'side']);
  });
});

interface Found {
  readonly trials: readonly { readonly seconds: number }[];
}
const untimed = ({ seconds, ...trial }: Found['trials'][number]) => trial;
