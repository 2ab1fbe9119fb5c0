/** How often a drill is repeated: so often in `npm test`, and as often as it takes in `npm run test:soak`. */
export const drills = (usual: number, soak: number): number => (process.env.DLADMM_SOAK === '1' ? soak : usual);
