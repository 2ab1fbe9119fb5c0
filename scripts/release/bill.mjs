// The bill of materials of a release, in CycloneDX: what npm installs beside the package, by npm's own list, and what is inside the addons.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

const require = createRequire(import.meta.url);

/** Licences that ask for no more than their text. */
const ALLOWED = [
  'MIT',
  'ISC',
  'Apache-2.0',
  'Apache-2.0 WITH LLVM-exception',
  'BSD-3-Clause',
  'BSD-3-Clause-Open-MPI',
  'GPL-3.0-only WITH GCC-exception-3.1',
];

const inside = (type, name, version, license) => ({
  type,
  name,
  version,
  licenses: [/ /.test(license) ? { expression: license } : { license: { id: license } }],
});

const ofGcc = (name) => inside('library', name, 'of GCC 12', 'GPL-3.0-only WITH GCC-exception-3.1');

/** What is linked into each addon (THIRD-PARTY-NOTICES.md). */
const insideAddon = (openblas, platform) => [
  inside('library', 'OpenBLAS', openblas, 'BSD-3-Clause'),
  inside('library', 'LAPACK', `of OpenBLAS ${openblas}`, 'BSD-3-Clause-Open-MPI'),
  ...(platform.endsWith('-musl') ? [inside('library', 'libc++', 'of LLVM 19', 'Apache-2.0 WITH LLVM-exception')] : []),
  ...(platform === 'linux-x64-musl' ? [ofGcc('libgcc')] : []),
  ...(platform.endsWith('-glibc') ? [ofGcc('libstdc++')] : []),
  inside('library', 'node-addon-api', require('node-addon-api/package.json').version, 'MIT'),
];

function npm(folder, ...args) {
  const { status, stdout, stderr, error } = spawnSync('npm', args, {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`npm ${args[0]}: ${stderr.trim()}`);
  return stdout;
}

/** What npm installs with the package, without what is optional: that is listed by hand, since one platform's alone is here. */
function installed(tarball) {
  const folder = mkdtempSync(path.join(tmpdir(), 'dladmm-bill-'));
  try {
    writeFileSync(path.join(folder, 'package.json'), '{ "name": "consumer", "version": "1.0.0" }');
    const quiet = ['--omit=optional', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
    npm(folder, 'install', tarball, ...quiet);
    return JSON.parse(npm(folder, 'sbom', '--sbom-format', 'cyclonedx', '--omit', 'optional'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const licencesOf = ({ licenses = [] }) =>
  licenses.flatMap(
    ({ license, expression }) => license?.id ?? license?.name ?? expression?.replace(/[()]/g, '').split(' AND ') ?? [],
  );

/** { file, count, faults }: writes it beside the tarballs. */
export function writeBillOfMaterials(folder, main, platforms) {
  const bill = installed(main.tarball);
  const found = bill.components.find(({ name }) => name === 'dladmm');
  // Not the tarball's place on this machine.
  const own = { ...found, externalReferences: found.externalReferences.filter(({ url }) => !url.startsWith('file:')) };
  const addons = platforms
    .filter(({ packed }) => packed !== undefined)
    .map(({ platform, openblas, packed }) => ({
      ...inside('library', packed.name, own.version, 'MIT'),
      'bom-ref': `${packed.name}@${own.version}`,
      purl: `pkg:npm/${packed.name.replace('@', '%40')}@${own.version}`,
      description: `The addon for ${platform}`,
      hashes: [{ alg: 'SHA-256', content: packed.sha256 }],
      components: insideAddon(openblas, platform),
    }));
  const components = [...bill.components.filter((component) => component !== found), ...addons];
  // When and where it was made, and under which number, is no part of what was made: the same sources give the same bill.
  const { serialNumber: _, metadata, dependencies, ...rest } = bill;
  const { timestamp: __, component: consumer, ...kept } = metadata;
  const whole = {
    ...rest,
    metadata: { ...kept, component: own },
    components,
    dependencies: dependencies.filter(({ ref }) => ref !== consumer['bom-ref']),
  };
  const file = path.join(folder, 'dladmm.cdx.json');
  writeFileSync(file, `${JSON.stringify(whole, undefined, 2)}\n`);
  const all = [own, ...components].flatMap((component) => [component, ...(component.components ?? [])]);
  const faults = all.flatMap((component) => {
    const licences = licencesOf(component);
    const foreign = licences.filter((licence) => !ALLOWED.includes(licence));
    if (licences.length > 0 && foreign.length === 0) return [];
    return [
      `${component.name} is under ${foreign.join(', ') || 'no licence that is told'}, which is not among ${ALLOWED.join(', ')}`,
    ];
  });
  return { file: path.relative(process.cwd(), file), count: all.length, faults };
}
