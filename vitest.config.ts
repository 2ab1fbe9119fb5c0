import { defineConfig } from 'vitest/config';

// Forks: a native crash ends one worker and not the whole run.
export default defineConfig({
  test: { include: ['test/**/*.test.ts'], pool: 'forks', testTimeout: 60_000 },
});
