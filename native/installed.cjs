// node-gyp-build asks this before it compiles, and does not where an addon loads. With `--tell` it says why one is compiled.
const tell = process.argv.includes('--tell');

import('../dist/core/info.js')
  .then(({ info }) => info())
  .catch((error) => {
    if (!tell) throw error;
    // In a checkout there is nothing to be told yet.
    if (error.code === 'ERR_DLADMM_NATIVE') console.error(`${error.message}\n\nBuilding it from source, which takes minutes:`);
  });
