// Makes the tarballs that are published: the package itself, and one small package with the addon for each platform. The package that
// `npm pack` makes of a checkout knows of no other: they are of its version, and there is none before it is published.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

/** Compiled by prepack, so not there before something was packed. */
const platforms = () => import('../../dist/core/platform.js');

function run(command, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} in ${cwd}: exit code ${status}\n${stderr}`);
  return stdout;
}

/** { name, tarball, sha256, packed: [{ path, size }], size, unpackedSize } */
function pack(folder, to, ...flags) {
  const [{ name, filename, files, size, unpackedSize }] = JSON.parse(
    run('npm', ['pack', '--json', '--pack-destination', to, ...flags], folder),
  );
  const tarball = path.join(to, filename);
  const sha256 = createHash('sha256').update(readFileSync(tarball)).digest('hex');
  return { name, tarball, sha256, packed: files, size, unpackedSize };
}

async function inFolder(work) {
  const folder = mkdtempSync(path.join(tmpdir(), 'dladmm-pack-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const writeJson = (file, value) => writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);

/** Comments are for those who read the sources; hovers have those of the types. */
function withoutComments(file, text) {
  if (file.endsWith('.js')) return transformSync(text, { format: 'esm', target: 'es2023' }).code;
  return text.replace(/^\s*\/\/.*\n/gm, '');
}

function removeComments(folder) {
  for (const name of readdirSync(folder, { recursive: true })) {
    const file = path.join(folder, name);
    if (!/\.(?:js|cc|hpp)$/.test(file)) continue;
    writeFileSync(file, withoutComments(file, readFileSync(file, 'utf8')));
  }
}

/** The package itself, which has no addon: it names those that have, in its own version. */
export const packMain = (to) =>
  inFolder(async (folder) => {
    run('tar', ['-xzf', pack(root, folder).tarball], folder);
    const { PLATFORMS, packageOf } = await platforms();
    const unpacked = path.join(folder, 'package');
    for (const part of ['dist', 'native']) removeComments(path.join(unpacked, part));
    const { devDependencies: _, scripts, ...published } = manifest;
    writeJson(path.join(unpacked, 'package.json'), {
      ...published,
      scripts: { install: scripts.install },
      optionalDependencies: Object.fromEntries(PLATFORMS.map((name) => [packageOf(name), manifest.version])),
    });
    return pack(unpacked, to, '--ignore-scripts');
  });

/** The package of a platform, with an addon. */
export async function packPlatform(platform, addon, to) {
  const { packageOf } = await platforms();
  const [system, processor, libc] = platform.split('-');
  const { version, license, repository, homepage, bugs, engines } = manifest;
  return inFolder((folder) => {
    writeJson(path.join(folder, 'package.json'), {
      name: packageOf(platform),
      version,
      description: `The addon of dladmm for ${platform}`,
      license,
      repository,
      homepage,
      bugs,
      engines,
      os: [system],
      cpu: [processor],
      libc: [libc],
      main: 'dladmm.node',
      preferUnplugged: true,
    });
    writeFileSync(
      path.join(folder, 'README.md'),
      `# ${packageOf(platform)}\n\nThe addon of [dladmm](https://www.npmjs.com/package/dladmm) for ${platform}, with OpenBLAS inside. ` +
        '`npm install dladmm` installs it by itself where it is needed.\n',
    );
    copyFileSync(addon, path.join(folder, 'dladmm.node'));
    for (const name of ['LICENSE', 'THIRD-PARTY-NOTICES.md', 'licenses']) {
      cpSync(path.join(root, name), path.join(folder, name), { recursive: true });
    }
    mkdirSync(to, { recursive: true });
    return pack(folder, to, '--ignore-scripts');
  });
}
