import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { libcOf, PLATFORMS, packageOf, platformHere, SCOPE } from '../../src/core/platform.js';

test.each([
  ['/lib64/ld-linux-x86-64.so.2', 'glibc'],
  ['/lib/ld-linux-aarch64.so.1', 'glibc'],
  ['/lib/ld-musl-x86_64.so.1', 'musl'],
  ['/lib/ld-musl-aarch64.so.1', 'musl'],
  ['/nix/store/abc-glibc-2.40/lib/ld-linux-x86-64.so.2', 'glibc'],
  ['no loader at all', undefined],
])('a program that asks for %s is of %s', (loader, libc) => {
  expect(libcOf(`\x7fELF\0\0${loader}\0\0GNU`)).toBe(libc);
});

test.runIf(process.platform === 'linux')('this program names its loader in its first 4096 bytes', () => {
  const bytes = Buffer.alloc(4096);
  const file = openSync(process.execPath, 'r');
  readSync(file, bytes);
  closeSync(file);
  expect(libcOf(bytes.toString('latin1'))).toBeDefined();
});

test('each platform has a package of its own in one scope, which is required by that name', () => {
  const packages = PLATFORMS.map((platform) => `${SCOPE}/${platform}`);
  expect(PLATFORMS.map(packageOf)).toEqual(packages);
  const text = readFileSync(new URL('../../src/core/platform.ts', import.meta.url), 'utf8');
  expect([...text.matchAll(/\brequire\('([^']+)'\)/g)].map(([, name]) => name)).toEqual(packages);
  expect([undefined, ...PLATFORMS]).toContain(platformHere());
});

test.runIf(process.platform === 'linux' && process.arch === 'x64').each(['glibc', 'musl'])(
  'a process of %s takes the package for it',
  (libc) => {
    vi.stubEnv('LIBC', libc);
    expect(platformHere()).toBe(`linux-x64-${libc}`);
    vi.unstubAllEnvs();
  },
);
