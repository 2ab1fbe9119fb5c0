import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// The drills of `npm run test:soak` take as long as they take.
const patience = process.env.DLADMM_SOAK === '1' ? 20 : 1;

// The drills that take tools of their own, each by its command: npm run test:bundlers, test:runtimes.
const drill = process.env.DLADMM_DRILL;

// Forks: a native crash ends one worker and not the whole run.
const common = {
  pool: 'forks',
  testTimeout: 60_000 * patience,
  // What is built already is loaded by Node itself.
  server: { deps: { external: [/\/dist\//] } },
} as const;

export default defineConfig({
  test: {
    // Vitest leaves one processor idle, which is half of two.
    maxWorkers: availableParallelism(),
    projects: [
      {
        test: {
          ...common,
          name: 'checkout',
          include: ['test/**/*.test.ts'],
          exclude: ['test/package/**', 'test/realm/**', 'test/everywhere/**'],
        },
      },
      // In vm contexts, as jest runs tests: their arrays, errors and symbols are not those of the addon.
      {
        test: { ...common, name: 'realm', include: ['test/realm/**/*.test.ts'], pool: 'vmForks' },
      },
      // What users install: packed and installed once for all of its tests, and only where one of them is to run.
      {
        test: {
          ...common,
          name: 'package',
          include: ['test/package/**/*.test.ts'],
          globalSetup: 'test/package/set-up.ts',
          testTimeout: 120_000 * patience,
        },
      },
      ...(drill === undefined
        ? []
        : [
            {
              test: {
                ...common,
                name: drill,
                include: [`test/everywhere/${drill}/*.test.ts`],
                globalSetup: ['test/everywhere/tools.mjs', 'test/package/set-up.ts'],
                testTimeout: 300_000,
                hookTimeout: 300_000,
              },
            },
          ]),
    ],
  },
});
