/** Whether the BLAS runs the kernels of this processor: an OpenBLAS that is older than the processor may not know it, and runs those of 2004. */

/** What OpenBLAS falls back to, which it calls Katmai where it was compiled for few, and what it has for processors without AVX2. */
const WITHOUT_AVX2 = ['prescott', 'katmai', 'core2', 'penryn', 'dunnington', 'nehalem', 'sandybridge', 'atom', 'nano'];
/** Kernels for what dladmm's own loops have found the processor to have. */
const BETTER: Readonly<Record<string, string>> = { avx512: 'SkylakeX', avx2: 'Haswell' };

/** Says what helps where the kernels are of another age than the processor, unless somebody has chosen them. */
export function slowKernels(core: string, simd: string, chosen: string | undefined): string | undefined {
  const better = BETTER[simd];
  if (chosen !== undefined || better === undefined || !WITHOUT_AVX2.includes(core.toLowerCase())) return undefined;
  return `OpenBLAS does not know this processor and runs its kernels for ${core}, several times slower than it could: set OPENBLAS_CORETYPE=${better} before the process starts, or take a newer OpenBLAS`;
}
