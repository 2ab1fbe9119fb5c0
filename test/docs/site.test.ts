import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const site = mkdtempSync(join(tmpdir(), 'dladmm-site-'));

test('every name of the public interface is documented, and every link of the site leads somewhere', async () => {
  try {
    const typedoc = join(ROOT, 'node_modules/typedoc/bin/typedoc');
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      // Types are checked before any test runs.
      [typedoc, '--out', site, '--logLevel', 'Warn', '--skipErrorChecking'],
      { cwd: ROOT },
    );
    expect(`${stdout}${stderr}`.trim()).toBe('');
    const pages = readdirSync(site, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.html'));
    const broken = pages.flatMap((page) =>
      [...readFileSync(join(site, page), 'utf8').matchAll(/(?:href|src)="(?!https?:|data:)([^"#]+)/g)].flatMap(
        ([, target = '']) =>
          existsSync(join(site, posix.dirname(page), target)) ? [] : [`${page} leads to ${target}`],
      ),
    );
    expect(broken).toEqual([]);
    expect(pages.filter((page) => page.startsWith('documents/')).length).toBeGreaterThan(10);
  } finally {
    rmSync(site, { recursive: true, force: true });
  }
}, 240_000);
