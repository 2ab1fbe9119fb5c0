// node scripts/prebuild.mjs [PLATFORM …]: makes the addon for this platform, or for others, unless it is there and fresh.
import path from 'node:path';
import { inspect } from './prebuild/check.mjs';
import { ensurePrebuilt, prebuiltOf } from './prebuild/prebuild.mjs';
import { here } from './prebuild/targets.mjs';

const platforms = process.argv.length > 2 ? process.argv.slice(2) : [here];
for (const platform of platforms) {
  const file = prebuiltOf(platform);
  const name = path.relative(process.cwd(), file);
  try {
    await ensurePrebuilt((text) => console.error(`→ ${name}: ${text} …`), { platform });
    console.error(`✓ ${name}`);
    if (process.platform === 'linux') {
      const { needed, glibc, openblas, packed } = inspect(file);
      console.error(
        `  needs ${needed.join(', ')}; glibc ${glibc}; OpenBLAS ${openblas}; packed ${packed.toFixed(1)} MB`,
      );
    }
  } catch (error) {
    console.error(`✗ ${name}: ${error.message}`);
    process.exitCode = 1;
  }
}
