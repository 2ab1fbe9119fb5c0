import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { tarMember } from '../../src/formats/tar.js';
import { expectFailure, fromBase64, resultOrRefusal, withBit } from './support.js';

/** Written by Python's tarfile, as USTAR and as GNU tar; a folder, a small file, and cal_housing.data of 3 lines. */
const archives = [
  'H4sIADJgAmsC/+3UTQ6CMBCG4a45hQdocAoFD8DGW5gKUUkQEn7ub1NjTMCl4ML3mUWn36aLybRwTX3p+rZ2x24a6va6V18nXm5tOL35ueyNSW2udpnawDSMrvfPq/9ULOZfuuZ0e/Zx1d1d3a4//2w2/0xSUTth/qtz57KKFBT7/2n/3ejW//+Nmf//1uYH9n8LEmdafBmd6FRb7W8isUTG5ybUKzchT3ye+HrnScjZJAAAAAAAAAAAAAAAfucBPfyAWgAoAAA=',
  'H4sIADJgAmsC/+3UQQ6CMBCF4a45BQdocFqKHICNtzAVopIgJAL3t8EYE3ApuPD/ZtHp205mCt/U5+7e1v7QjX3dXnbq6yTYOze9wfxd9saksldxpjYw9oO/x7H6U8Vi/qVvjtdnn1Tdzdft+vPPZvN3eS4qFua/On8qq0iB/f+4/37w699/Y+b33zmbs/9bkCTTEspoq1PtdPiJJBKZkJupXrmZchtyG+qd2ylnkwAAAAAAAAAAAAAA+J0HiQsnbAAoAAA=',
].map((text) => new Uint8Array(gunzipSync(fromBase64(text))));

const MEMBER = 'CaliforniaHousing/cal_housing.data';
const CONTENT = '0.5,0,0,1,2,3,4,5,000.0\n1.5,1,1,1,2,3,4,5,100.0\n2.5,2,2,1,2,3,4,5,200.0\n';
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

describe.each([
  ['USTAR', archives[0] as Uint8Array],
  ['GNU tar', archives[1] as Uint8Array],
])('tarMember, on an archive of %s,', (_, archive) => {
  it('finds a file behind a folder and another file', () => {
    expect(text(tarMember(archive, MEMBER, 'x.tar'))).toBe(CONTENT);
  });

  it('refuses an archive that ends before the file does', async () => {
    const end = Buffer.from(archive).indexOf(CONTENT) + CONTENT.length;
    for (let length = 0; length < end; length += 7)
      await expectFailure(
        () => tarMember(archive.subarray(0, length), MEMBER, 'x.tar'),
        'ERR_DLADMM_FORMAT',
        /^x\.tar/,
      );
  });

  it('refuses a header with any bit flipped', async () => {
    const start = Buffer.from(archive).indexOf(CONTENT);
    for (let bit = 8 * (start - 512); bit < 8 * start; bit++) {
      const found = await resultOrRefusal(() => tarMember(withBit(archive, bit), MEMBER, 'x.tar'));
      // The blanks and zeros around the checksum's own digits mean nothing.
      if (found) expect(text(found)).toBe(CONTENT);
    }
    const lying = withBit(archive, 8 * (start - 512 + 134));
    await expectFailure(() => tarMember(lying, MEMBER, 'x.tar'), 'ERR_DLADMM_FORMAT', 'checksum');
  });
});

describe('tarMember', () => {
  it('refuses what is no tar archive or does not hold the file', async () => {
    await expectFailure(() => tarMember(new Uint8Array(2048).fill(65), MEMBER, 'x'), 'ERR_DLADMM_FORMAT', 'damaged');
    await expectFailure(() => tarMember(archives[0] as Uint8Array, 'other', 'x'), 'ERR_DLADMM_FORMAT', 'other');
  });
});
