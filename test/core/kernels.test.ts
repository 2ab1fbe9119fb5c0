import { expect, test } from 'vitest';
import { slowKernels } from '../../src/core/kernels.js';

test('kernels of another age than the processor are told, with the variable that helps', () => {
  expect(slowKernels('Prescott', 'avx512', undefined)).toContain('OPENBLAS_CORETYPE=SkylakeX');
  expect(slowKernels('Nehalem', 'avx2', undefined)).toContain('OPENBLAS_CORETYPE=Haswell');
});

test('nothing is said of kernels that fit, that somebody chose, or that the BLAS does not name', () => {
  expect(slowKernels('Zen', 'avx2', undefined)).toBeUndefined();
  expect(slowKernels('Prescott', 'sse2', undefined)).toBeUndefined();
  expect(slowKernels('Prescott', 'avx512', 'Prescott')).toBeUndefined();
  expect(slowKernels('', 'avx512', undefined)).toBeUndefined();
});
