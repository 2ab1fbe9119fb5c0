/**
 * What `using` ends a thing by. In a vm context of Node 20 (jest's, vitest's) `Symbol.dispose` is missing, and compilers take the
 * registered symbol there.
 */
export const DISPOSE: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for('Symbol.dispose');
