/** How often a drill is repeated, or on what: so often in `npm test`, and as often as it takes in `npm run test:soak`. */
export const drills = <T>(usual: T, soak: T): T => (process.env.DLADMM_SOAK === '1' ? soak : usual);
