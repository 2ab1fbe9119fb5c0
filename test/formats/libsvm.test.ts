import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { parseLibsvm, readLibsvm } from '../../src/data.js';
import { expectFailure, temporaryFolder } from './support.js';

const parse = (text: string, options?: object) => parseLibsvm(Buffer.from(text), 'a.svm', options);

describe('the text of libsvm', () => {
  test('is a class or a value, then what is not zero', async () => {
    const { x, targets } = await parse('+1 1:0.5 3:2 # first\n\n-1 2:-1e-3\r\n# nothing\n0.25\t4:7');
    expect(x).toEqual({
      data: Float64Array.of(0.5, 2, -1e-3, 7),
      indices: Int32Array.of(0, 2, 1, 3),
      indptr: Float64Array.of(0, 2, 3, 4),
      rows: 3,
      columns: 4,
    });
    expect(targets).toEqual(Float64Array.of(1, -1, 0.25));
  });

  test('is kept in half the memory where that holds every value', async () => {
    expect((await parse('1 1:1 2:0.5')).x.data).toEqual(Float32Array.of(1, 0.5));
  });

  test('counts columns from 1, or from 0 where an index is 0', async () => {
    expect((await parse('1 1:1\n2 0:3 2:1')).x).toMatchObject({ indices: Int32Array.of(1, 0, 2), columns: 3 });
    expect((await parse('1 1:1')).x).toMatchObject({ indices: Int32Array.of(0), columns: 1 });
    const zeroBased = await parse('1 1:1', { zeroBased: true, columns: 5 });
    expect(zeroBased.x).toMatchObject({ indices: Int32Array.of(1), columns: 5 });
    await expectFailure(
      () => parse('1 0:1', { zeroBased: false }),
      'ERR_DLADMM_FORMAT',
      'line 1: expected an index from 1 on',
    );
  });

  test('may have rows without entries', async () => {
    expect((await parse('1\n2')).x).toMatchObject({ rows: 2, columns: 1, indptr: Float64Array.of(0, 0, 0) });
  });

  test('is read from a file, gzipped or not', async () => {
    const path = join(await temporaryFolder(), 'a.svm.gz');
    await writeFile(path, gzipSync('1 2:3\n'));
    expect((await readLibsvm(path)).x).toMatchObject({ rows: 1, columns: 2 });
  });

  test.each([
    ['1 3:1 2:1', 'line 1: expected an index above 3, the one before, but found "2:1"'],
    ['1 1:1\n1 2:1 2:1', 'line 2: expected an index above 2'],
    ['1 1:nan', 'line 1: expected an entry whose value is a finite number but found "nan"'],
    ['1 1:1e999', 'a finite number'],
    ['1 1:', 'a finite number'],
    ['1 1:0x1', 'a finite number'],
    ['one 1:1', 'line 1: expected a line that begins with a class or a value'],
    ['1,2 1:1', 'begins with a class'],
    ['1 qid:3 1:1', 'expected an entry index:value but found "qid:3"'],
    ['1 -1:2', 'expected an entry index:value'],
    ['1 1.5:2', 'expected an entry index:value'],
    ['1 2147483648:2', 'expected an index of at most 2147483647'],
    ['1 99999999999999999999999:2', 'expected an index of at most 2147483647'],
    ['', 'expected at least one sample but found none'],
    ['# nothing\n', 'expected at least one sample but found none'],
  ])('%j is refused', async (text, message) => {
    await expectFailure(() => parse(text), 'ERR_DLADMM_FORMAT', message);
  });

  test('is refused where its columns are more than were told of, and told wrong options', async () => {
    await expectFailure(() => parse('1 4:1', { columns: 3 }), 'ERR_DLADMM_FORMAT', '3 columns but they need 4');
    await expectFailure(() => parse('1 4:1', { columns: 0 }), 'ERR_DLADMM_RANGE', 'options.columns');
    await expectFailure(() => parse('1 4:1', { zerobased: true }), 'ERR_DLADMM_ARGUMENT', 'zerobased');
  });

  test('cut at any place is read, or refused with a line', async () => {
    const whole = '+1 1:0.5 3:2 # first\n-1 2:-1e-3\r\n0.25 4:7\n';
    for (let end = 1; end < whole.length; end += 1) {
      const found = await parse(whole.slice(0, end)).catch((error) => error);
      if (found.code !== undefined) expect(found).toMatchObject({ code: 'ERR_DLADMM_FORMAT' });
      else expect(found.x.indptr.length).toBe(found.x.rows + 1);
    }
  });
});
