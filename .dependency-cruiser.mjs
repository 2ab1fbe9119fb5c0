/**
 * The rooms of src, top to bottom: each imports only rooms above it. `npm run lint` holds it, and `npm run docs:rooms` draws it.
 *
 * @see README.md, "Architecture"
 */
export const ROOMS = [
  'core',
  'tensor',
  'judging',
  'network',
  'samples',
  'formats',
  'datasets',
  'model',
  'solvers',
  'training',
  'report',
  'choosing',
  'compressing',
  'cli',
];

const STRAY = { path: '^src/', pathNot: `^src/(?:(?:${ROOMS.join('|')})/|[a-z]+\\.ts$)` };

const FACES = '^src/(?:cli/|[a-z]+\\.ts$)';

/** Everything in src that is not in one of these rooms. */
const below = (place) => {
  const others = ROOMS.slice(place + 1);
  return `^src/(?:${others.join('|')})/|${FACES}`;
};

const upward = ROOMS.slice(0, -1).map((room, place) => ({
  name: `${room}-knows-nothing-below`,
  comment: `src/${room} imports only the rooms above it in the README's table`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: below(place) },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...upward,
    {
      name: 'no-circle',
      comment: 'Two files that need each other, if only for a type, are one idea in two places or a type in the wrong one',
      severity: 'error',
      from: { path: '^(?:src|bench)/' },
      to: { circular: true },
    },
    {
      name: 'solvers-stand-alone',
      comment: 'A solver imports solvers/shared, and no other solver',
      severity: 'error',
      from: { path: '^src/solvers/([^/]+)/', pathNot: '^src/solvers/shared/' },
      to: { path: '^src/solvers/[^/]+/', pathNot: '^src/solvers/(?:$1|shared)/' },
    },
    {
      name: 'shared-knows-no-solver',
      comment: 'What solvers share is written without knowing any of them',
      severity: 'error',
      from: { path: '^src/solvers/shared/' },
      to: { path: '^src/solvers/', pathNot: '^src/solvers/shared/' },
    },
    ...[
      { from: STRAY, to: {} },
      { from: {}, to: STRAY },
      { from: { ...STRAY, orphan: true }, to: {} },
    ].map((stray) => ({
      name: 'rooms-only',
      comment: 'A file of src stands in a room, be it that it imports, is imported, or neither',
      severity: 'error',
      ...stray,
    })),
    {
      name: 'src-without-bench',
      comment: 'Benchmarks use the package; the package does not use them',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(?:bench|test|examples|scripts)/' },
    },
    {
      name: 'resolvable',
      comment: 'An import leads somewhere; the packages with addons are made from this one, and not there to be found',
      severity: 'error',
      from: { path: '^src/' },
      to: { couldNotResolve: true, pathNot: '^@dladmm/' },
    },
    {
      name: 'declared',
      comment: 'A package that src uses is among its dependencies',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev', 'undetermined'] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
};
