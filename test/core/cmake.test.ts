/** What the builds of C++ code for tests are configured from: they themselves take minutes, and have commands of their own. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';

test.each(['address,undefined', 'thread'])(
  'CMake configures a build of the tests under -fsanitize=%s',
  (sanitizers) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'dladmm-cmake-'));
    try {
      const args = ['-S', '.', '-B', folder, '-G', 'Ninja', `-DSANITIZE=${sanitizers}`];
      const { status, stderr } = spawnSync('cmake', args, { encoding: 'utf8' });
      expect(stderr).toBe('');
      expect(status).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
