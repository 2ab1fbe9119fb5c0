import { spawnSync } from 'node:child_process';
spawnSync('/tmp/b/both.sh', { stdio: 'inherit' });
