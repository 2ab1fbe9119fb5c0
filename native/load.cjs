// Loads the addon. Tracers of files (@vercel/nft: Next.js, Vercel, Netlify) know the addon by this form of the call, and take it along.
module.exports = require('node-gyp-build')(`${__dirname}/..`);
