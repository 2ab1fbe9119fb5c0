// node scripts/prebuild.mjs: makes the addon that travels in the package, unless it is there and fresh.
import path from 'node:path';
import { inspect } from './prebuild/check.mjs';
import { ensurePrebuilt, prebuilt } from './prebuild/prebuild.mjs';

const name = path.relative(process.cwd(), prebuilt);
try {
  await ensurePrebuilt((text) => console.error(`→ ${name}: ${text} …`));
  console.error(`✓ ${name}`);
  if (process.platform === 'linux') {
    const { needed, glibc, openblas, packed } = inspect(prebuilt);
    console.error(`  needs ${needed.join(', ')}; glibc ${glibc}; OpenBLAS ${openblas}; packed ${packed.toFixed(1)} MB`);
  }
} catch (error) {
  console.error(`✗ ${name}: ${error.message}`);
  process.exitCode = 1;
}
