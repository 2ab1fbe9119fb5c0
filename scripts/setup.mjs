// node scripts/setup.mjs [--test] [--data]: makes a fresh clone ready, and does nothing when it is.
//
//   --test  also the tools that `npm test` needs
//   --data  also Fashion-MNIST, where the system's packages have it
//
// This file is written so that an old Node can read it and say which one is needed; the work is in setup/main.mjs.
const needed = [20, 19];
const version = process.versions.node.split('.').map(Number);
const recentEnough = version[0] > needed[0] || (version[0] === needed[0] && version[1] >= needed[1]);

if (recentEnough) {
  import('./setup/main.mjs').then((setup) => setup.main(process.argv.slice(2)));
} else {
  console.error(`✗ Node.js ${process.versions.node} is too old: dladmm needs ${needed.join('.')} or newer.`);
  console.error('  https://nodejs.org/en/download has it for every system.');
  process.exitCode = 1;
}
