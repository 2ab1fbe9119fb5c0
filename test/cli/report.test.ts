import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { GraphModel } from '../../dist/index.js';
import { inFolder } from './support.js';

const { path, run, start } = inFolder();

const train = (...more: string[]) =>
  run('train', 'iris', '--solver', 'dladmm', '--iterations', '3', '--quiet', ...more);

it('writes a page about a training, in a pipe and with --quiet, and again over one of its own', async () => {
  for (const iterations of ['2', '3']) {
    expect(await train('--iterations', iterations, '--report', 'run.html')).toMatchObject({ code: 0, err: '' });
    const page = readFileSync(path('run.html'), 'utf8');
    expect(page).toContain('<h1>iris</h1>');
    expect(page).toContain('<dt>solver</dt><dd>dladmm</dd>');
    expect(page).toContain(`completed after ${iterations} iterations`);
    expect(page).not.toContain('signal');
  }
});

it('tells of a table what each column is worth, on rows that are held out', async () => {
  const rows = Array.from({ length: 300 }, (_, i) => `${Math.sin(i)},${i % 5},${Math.sin(i) > 0 ? 'yes' : 'no'}`);
  writeFileSync(path('waves.csv'), ['wave,"<b>other</b>",high', ...rows, ''].join('\n'));
  const { code } = await run('train', 'waves.csv', '--target', 'high', '--epochs', '20', '--report', 'waves.html');
  expect(code).toBe(0);
  const page = readFileSync(path('waves.html'), 'utf8');
  expect(page).toMatch(/<h2>Columns<\/h2>.*row">wave<\/th><td>[\d.]+<.*row">&lt;b&gt;other&lt;\/b&gt;<\/th>/s);
  await train('--report', 'plain.html');
  expect(readFileSync(path('plain.html'), 'utf8')).not.toContain('<h2>Columns</h2>');
});

it('refuses to write a page over another file, before anything is trained', async () => {
  writeFileSync(path('mine.html'), '<!doctype html><p>mine');
  const refused = await train('--report', 'mine.html');
  expect(refused.code).not.toBe(0);
  expect(refused.err).toMatch(/mine\.html/);
  expect(readFileSync(path('mine.html'), 'utf8')).toBe('<!doctype html><p>mine');
  expect((await train('--save', 'one', '--report', './one')).err).toMatch(
    /two different files for the model and the page/,
  );
});

it('writes a page of a training that diverged', async () => {
  const { code } = await run(
    'train',
    'iris',
    '--solver',
    'sgd',
    '--learning-rate',
    '1e9',
    '--epochs',
    '5',
    '--quiet',
    '--report',
    'bad.html',
  );
  expect(code).toBe(1);
  expect(readFileSync(path('bad.html'), 'utf8')).toContain('diverged; the model is the last finite one');
});

it('keeps runs, lists and exports them, and puts them beside each other, pages too', async () => {
  for (const rho of ['1', '2']) {
    const { code, out } = await train('--rho', rho, '--runs', 'runs', '--report', `${rho}.html`);
    expect(code).toBe(0);
    expect(out).toMatch(/^the run is kept as \d{17}-\w{6}$/m);
  }
  const runs = JSON.parse((await run('runs', '--json')).out);
  expect(runs).toMatchObject([{ data: 'iris', status: 'completed', iterations: 3 }, { status: 'completed' }]);
  expect((await run('runs', 'runs')).out).toMatch(/^id +data +status[\s\S]*iris +completed +3/);
  expect(await run('runs', '--csv', 'tables', '--tensorboard', 'events')).toMatchObject({ code: 0, err: '' });
  const [{ id }, { id: other }] = runs;
  expect((await run('runs', '--csv', '1.html')).err).toMatch(/1\.html: what is there is not a folder/);
  const [head, ...lines] = readFileSync(path(`tables/${id}.csv`), 'utf8')
    .trimEnd()
    .split('\n');
  expect(head).toMatch(/^iteration,.*\bloss\b.*,residuals\/1,/);
  expect(lines.map((line) => line.split(',')[0])).toEqual(['1', '2', '3']);
  expect(readdirSync(path(`events/${other}`))).toEqual([expect.stringMatching(/^events\.out\.tfevents\.\d+\.dladmm$/)]);
  for (const both of [
    [id, other],
    ['1.html', '2.html'],
    [id, '2.html'],
  ]) {
    expect(await run('compare', ...both, '--out', 'both.html')).toMatchObject({ code: 0 });
    const page = readFileSync(path('both.html'), 'utf8');
    expect(page).toContain('<th scope="row">rho</th><td>1</td><td>2</td>');
    expect(page).toContain('Augmented Lagrangian');
    if (both.includes(id)) expect(page).toMatch(/<th scope="row">seconds of W 1<\/th><td>[\d.]/);
  }
  writeFileSync(path('runs/cut.run.jsonl'), '');
  const listed = await run('runs', '--json');
  expect(listed).toMatchObject({ code: 0, err: expect.stringMatching(/^left out.*cut off: cut$/m) });
  expect(JSON.parse(listed.out)).toHaveLength(2);
  expect(await run('runs', '--remove', 'cut')).toMatchObject({ code: 0, err: '' });
  expect((await run('compare', id, 'none')).err).toMatch(
    /Expected the id of a run of runs, or a beginning of one alone/,
  );
  const year = id.slice(0, 4);
  expect((await run('compare', year)).err).toContain(`run but received "${year}"`);
  expect(await run('runs', '--remove', id, other)).toMatchObject({ code: 0, err: '' });
  expect(readdirSync(path('runs'))).toEqual([]);
}, 60_000);

it('keeps of a training that is killed what each kind of update took', async () => {
  const { child, ended } = start('train', 'iris', '--solver', 'dladmm', '--iterations', '1000000', '--runs', 'killed');
  child.stderr?.on('data', (text) => void (/ 1\/1000000 /.test(String(text)) && child.kill('SIGKILL')));
  expect((await ended).signal).toBe('SIGKILL');
  const [{ id, status, testAccuracy, ...told }] = JSON.parse((await run('runs', 'killed', '--json')).out);
  expect([status, testAccuracy]).toEqual(['no end was written', expect.any(Number)]);
  expect(told).toMatchObject({ 'seconds of W 1': expect.any(Number), 'seconds of z 1': expect.any(Number) });
  expect((await run('compare', id, '--runs', 'killed')).out).toBe('the run is in compare.html\n');
  expect(readFileSync(path('compare.html'), 'utf8')).toMatch(/seconds of W 1<\/th><td>[\d.e-]+ <span class="bar"/);
});

it('follows a training on a page, which is told and is gone with it', async () => {
  const { child, ended } = start('train', 'iris', '--solver', 'dladmm', '--iterations', '1000000', '--live', '--quiet');
  const told = await new Promise<string>((resolve) => void child.stderr?.once('data', (text) => resolve(String(text))));
  const [, url = ''] = /^dladmm: a page follows this training: (http:\/\/127\.0\.0\.1:\d+\/\w+\/)\n/.exec(told) ?? [];
  expect((await fetch(url)).status).toBe(200);
  expect((await fetch(url.replace(/\w\w\/$/, '/'))).status).toBe(403);
  expect((await fetch(`${url}do`, { method: 'POST', body: '{"run":0,"what":"stop"}' })).status).toBe(204);
  const { code, out } = await ended;
  expect(code).toBe(0);
  expect(out).toMatch(/stopped on request/);
});

it('tells in the terminal what a saved model is', async () => {
  expect((await train('--save', 'iris.safetensors')).code).toBe(0);
  const { code, out } = await run('report', 'iris.safetensors');
  expect(code).toBe(0);
  expect(out).toMatch(/^network 4-[\d-]+-3, relu, softmax-cross-entropy\n/);
  expect(out).toMatch(/^\d+ weights in float32\ndata: iris\niterations: 3\n$/m);
});

it('writes what every update did, as lines or for chrome://tracing, over a trace of its own alone', async () => {
  for (const file of ['run.jsonl', 'run.json', 'run.json']) {
    const { code, out } = await train('--trace', file);
    expect([code, out]).toEqual([0, expect.stringContaining(`what every update did is in ${file}\n`)]);
  }
  const [line] = readFileSync(path('run.jsonl'), 'utf8').split('\n');
  expect(JSON.parse(line as string)).toMatchObject({ iteration: 1, lagrangianChange: expect.any(Number) });
  expect(JSON.parse(readFileSync(path('run.json'), 'utf8'))).toContainEqual(expect.objectContaining({ name: 'W 1' }));
  writeFileSync(path('other.json'), '{"somebody": "else"}');
  expect((await train('--trace', 'other.json')).err).toMatch(/Refused to write to other\.json/);
  expect((await train('--trace', 'run.html', '--report', 'run.html')).err).toMatch(
    /different files for the page and the trace/,
  );
  expect((await run('train', 'iris', '--quiet', '--trace', 'auto.json')).err).toMatch(/iterations are sweeps/);
});

const NOTHING = ['train', 'nothing.csv'];
const COMPRESSING = ['compress', 'nothing.safetensors', 'nothing.csv', '--to', 'none/small'];
it.each([
  [/iterations are sweeps.*dladmm, inversion-admm.*'?minibatch-admm/, [...NOTHING, '--trace', 'a.json']],
  [/iterations are sweeps.*adam/, [...NOTHING, '--trace', 'a.json', '--solver', 'adam']],
  [/iterations are sweeps.*\(dladmm\)/, ['train', '--graph', 'nothing.npz', '--trace', 'a', '--solver', 'adam']],
  [/not a folder/, [...NOTHING, '--runs', 'file/runs']],
  [/--test-data FILE with --test-labels/, [...NOTHING, '--test-labels', 'a']],
  [/there is a test set already/, [...NOTHING, '--test-share', '0.2', '--test-data', 'a']],
  [/which is read once/, ['train', '-', '--test-data', '-']],
  [/from 2 to 1000 for folds/, ['cross-validate', 'nothing.csv', '--folds', '1']],
  [/dladmm counts iterations/, ['cross-validate', 'nothing.csv', '--solver', 'dladmm', '--epochs', '3']],
  [/for trials/, ['search', 'nothing.csv', '--trials', '0']],
  [/no such folder|does not exist/, ['start', '--compare', 'none/file', '--no-download']],
  [/--importance with --metric/, ['evaluate', 'nothing.safetensors', 'a.csv', '--metric', 'accuracy']],
  [/no --importance with --graph/, ['evaluate', 'nothing.safetensors', '--graph', 'a', '--importance']],
  [/one of hidden and layers/, ['train', '--graph', 'nothing.npz', '--layers', '3-4-2', '--hidden', '4']],
  [/none without quantise for activations/, [...COMPRESSING, '--sparsity', '0.5', '--activations', 'float']],
  [/either sparsity or parameters/, COMPRESSING],
  [/--graph or --importance with --seed/, ['evaluate', 'nothing.safetensors', 'a.csv', '--seed', '1']],
  [/--graph with --seed/, ['predict', 'nothing.safetensors', 'a.csv', '--seed', '1']],
  [/--part with --split/, ['predict', 'nothing.safetensors', '--graph', 'a.npz', '--split', 'random']],
  [/--part with --seed/, ['predict', 'nothing.safetensors', '--graph', 'a.npz', '--seed', '2']],
  [/no --save with --compare/, ['start', '--compare', '--no-download', '--save', 'a']],
  [/no --iterations with --compare/, ['start', '--compare', '--no-download', '--epochs', '3']],
  [/no --time-limit with --compare/, ['start', '--compare', '--no-download', '--time-limit', '3']],
  [/no --json with --csv/, ['runs', 'nothing', '--csv', 'b', '--json']],
  [/no --json with --remove/, ['runs', 'nothing', '--remove', 'b', '--json']],
  [/export the runs first/, ['runs', 'nothing', '--remove', 'a', '--csv', 'b']],
])('refuses before anything is read: %s', async (why, args) => {
  writeFileSync(path('file'), '');
  const { code, err } = await run(...args);
  expect([code, err]).toEqual([1, expect.stringMatching(why)]);
});

it('tells what a saved model of a graph is', async () => {
  const network = { layers: [3, 2, 2], activation: 'relu', loss: 'softmax-cross-entropy' } as const;
  const weights = [new Float32Array(6), new Float32Array(4)];
  using model = new GraphModel({ network, dtype: 'float32', classes: ['one', 'other'], weights });
  await model.save(path('graph.safetensors'), { data: 'ring' });
  expect((await run('report', 'graph.safetensors')).out).toBe(
    'network 3-2-2, relu, softmax-cross-entropy, of nodes of a graph: one, other\n10 weights in float32\ndata: ring\n',
  );
});
