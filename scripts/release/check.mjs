// npm run release:check -- [--twice] [PLATFORM …]: packs what would be published, installs it in clean folders, runs it on every
// platform, by an emulator where the platform is not this machine's, and looks at what is in it. `--twice` builds each addon twice.
// What it packs is left in release/, with a bill of materials.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { ensurePrebuilt, prebuiltOf } from '../prebuild/prebuild.mjs';
import { writeBillOfMaterials } from './bill.mjs';
import { packMain, packPlatform } from './pack.mjs';
import { installFor, runsOn } from './platform.mjs';

const root = path.join(import.meta.dirname, '../..');
const out = path.join(root, 'release');
const MAIN_LIMIT = 1e6;
const PLATFORM_LIMIT = 9e6;

const tell = (text) => console.error(text);
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;

/** What makes a package twice has to give the same bytes. */
async function packedTwice(pack) {
  const first = await pack(out);
  const other = path.join(out, 'again');
  mkdirSync(other, { recursive: true });
  const second = await pack(other);
  rmSync(other, { recursive: true });
  return {
    ...first,
    faults:
      first.sha256 === second.sha256 ? [] : [`${path.basename(first.tarball)} has other bytes when it is packed again`],
  };
}

const tooLarge = (size, limit, what) =>
  size > limit ? [`${what} takes ${megabytes(size)}, more than ${megabytes(limit)}`] : [];

async function addonTwice(platform) {
  const before = readFileSync(prebuiltOf(platform));
  rmSync(prebuiltOf(platform));
  await ensurePrebuilt(tell, { platform });
  return before.equals(readFileSync(prebuiltOf(platform)))
    ? []
    : [`the addon for ${platform} has other bytes when it is built again`];
}

/** One platform, from its addon to its training; what went wrong, as sentences. */
async function checked(platform, main, twice) {
  tell(`── ${platform}`);
  try {
    installFor(platform);
    await ensurePrebuilt(tell, { platform });
    const rebuilt = twice ? await addonTwice(platform) : [];
    const addon = prebuiltOf(platform);
    const packed = await packedTwice((to) => packPlatform(platform, addon, to));
    const { faults, ran, openblas } = await runsOn(platform, [main.tarball, packed.tarball], addon, tell);
    return {
      platform,
      ran,
      openblas,
      packed,
      faults: [...rebuilt, ...packed.faults, ...tooLarge(packed.size, PLATFORM_LIMIT, platform), ...faults],
    };
  } catch (error) {
    return { platform, ran: false, faults: [error.message] };
  }
}

const given = process.argv.slice(2);
const asked = given.filter((word) => word !== '--twice');
rmSync(out, { recursive: true, force: true });
mkdirSync(out);
const main = await packedTwice(packMain);
const { PLATFORMS } = await import('../../dist/core/platform.js');
const unknown = asked.filter((platform) => !PLATFORMS.includes(platform));
if (unknown.length > 0) {
  console.error(`There is no platform ${unknown.join(', ')}; there are ${PLATFORMS.join(', ')}`);
  process.exit(2);
}
const results = [];
for (const platform of asked.length > 0 ? asked : PLATFORMS)
  results.push(await checked(platform, main, given.includes('--twice')));
const bill = writeBillOfMaterials(out, main, results);
const faults = [
  ...main.faults,
  ...tooLarge(main.size, MAIN_LIMIT, 'dladmm'),
  ...bill.faults,
  ...results.flatMap(({ platform, faults: own }) => own.map((fault) => `${platform}: ${fault}`)),
];

const rows = [
  ['package', 'download', 'installed'],
  ['dladmm', main],
  ...results.map(({ platform, packed }) => [platform, packed]),
];
for (const [name, packed, installed] of rows) {
  const [download, size] =
    typeof packed === 'object' ? [packed.size, packed.unpackedSize].map(megabytes) : [packed ?? '', installed ?? ''];
  console.log(`${name.padEnd(20)}${download.padStart(10)}${size.padStart(12)}`);
}
console.log(`${bill.file}: ${bill.count} components, each with its licence`);
for (const fault of faults) console.log(`✗ ${fault}`);
const ran = results.filter((each) => each.ran).map(({ platform }) => platform);
process.exitCode = faults.length === 0 ? 0 : 1;
console.log(`${ran.length} of ${results.length} platforms ran: ${ran.join(', ') || 'none'}`);
